"""Find the environments that are needed beyond provisioned concurrency, which is warm without pings. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic import DAY_MINUTES, Floats, offsets_minutes

_HOUR, _WEEK = 60, 7 * 24
# 1 January 1970 was a Thursday, three days after a Monday.
_FIRST_HOUR = 3 * 24


@dataclass(frozen=True, slots=True)
class ProvisionedHours:
    """Provisioned environments in each hour of the week, in a time zone."""

    timezone: str
    # 168 values, Monday first.
    hours: tuple[int, ...]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ProvisionedHours":
        """Read the stored form; raise ValueError if it does not hold 168 hours."""
        hours = tuple(int(environments) for environments in document["hours"])
        if len(hours) != _WEEK:
            raise ValueError(f"a week has {_WEEK} hours, but {len(hours)} are stored")
        return cls(ZoneInfo(document["timezone"]).key, hours)

    def unmet_need(self, need: Floats, start: int, hours_ahead: int) -> Floats:
        """Return the need that pings must meet in each minute.

        need: environments from minute `start` since 1970 up to now, NaN if unknown, from which a plan for the hours
        ahead is made. A minute needs no pings if at least as many environments are provisioned at its time of day in
        the hours ahead. Otherwise its need stays as it is: pings reach further environments only while the
        provisioned ones are busy.
        """
        if not any(self.hours):
            return need
        zone, now = ZoneInfo(self.timezone), start + len(need)
        ahead = now + np.arange(hours_ahead * _HOUR)
        local = ahead + offsets_minutes(zone, ahead)
        provisioned = np.array(self.hours)[(local // _HOUR + _FIRST_HOUR) % _WEEK]
        of_day = np.full(DAY_MINUTES, np.inf)
        np.minimum.at(of_day, local % DAY_MINUTES, provisioned)
        past = start + np.arange(len(need))
        least = np.nan_to_num(of_day, posinf=0.0)[(past + offsets_minutes(zone, past)) % DAY_MINUTES]
        return np.where(need <= least, 0.0, need)
