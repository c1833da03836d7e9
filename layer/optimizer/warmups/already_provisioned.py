"""What is needed beyond the environments that are provisioned: pings would find those warm. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic import DAY_MINUTES, Floats, offsets_minutes

_HOUR, _WEEK = 60, 7 * 24
# The first of January 1970 was a Thursday.
_FIRST_HOUR = 3 * 24


@dataclass(frozen=True, slots=True)
class ProvisionedHours:
    """Environments that are provisioned in each of the 168 hours of the week, Monday first, in a time zone."""

    timezone: str
    hours: tuple[int, ...]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ProvisionedHours":
        """Read the stored form back."""
        hours = tuple(int(environments) for environments in document["hours"])
        if len(hours) != _WEEK:
            raise ValueError(f"a week has {_WEEK} hours, not {len(hours)}")
        return cls(ZoneInfo(document["timezone"]).key, hours)

    def unmet_need(self, need: Floats, start: int, hours_ahead: int) -> Floats:
        """`need`: environments from minute `start` since 1970 up to now, NaN not known; of which a plan is made for the
        hours ahead. Where as many are provisioned at that time of the days ahead, none are needed; where more are
        needed, a ping must find all of them busy, the provisioned ones included."""
        if not any(self.hours):
            return need
        zone, now = ZoneInfo(self.timezone), start + len(need)
        ahead = now + np.arange(hours_ahead * _HOUR)
        local = ahead + offsets_minutes(zone, ahead)
        held = np.array(self.hours)[(local // _HOUR + _FIRST_HOUR) % _WEEK]
        of_day = np.full(DAY_MINUTES, np.inf)
        np.minimum.at(of_day, local % DAY_MINUTES, held)
        behind = start + np.arange(len(need))
        least = np.nan_to_num(of_day, posinf=0.0)[(behind + offsets_minutes(zone, behind)) % DAY_MINUTES]
        return np.where(need <= least, 0.0, need)
