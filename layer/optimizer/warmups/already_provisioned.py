"""Find the environments that are needed beyond provisioned concurrency, which is warm without pings. Pure."""

from collections.abc import Collection, Mapping, Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic import DAY_MINUTES, Floats, offsets_minutes

_HOUR, _WEEK = 60, 7 * 24
# 1 January 1970 was a Thursday, three days after a Monday.
_FIRST_HOUR = 3 * 24
_SUNDAY = 6 * 24
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class ProvisionedHours:
    """Provisioned environments in each hour of the week, in a time zone."""

    timezone: str
    # 168 values, Monday first.
    hours: tuple[int, ...]
    # The mark of the timetable in its schedules' names; empty without one.
    plan: str = ""
    # True if Application Auto Scaling moves the amount; the hours are then the least.
    scaled: bool = False
    # A change that was proposed at that time, and may be applied by now.
    proposed: "ProvisionedHours | None" = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ProvisionedHours":
        """Read the stored form; raise ValueError if it does not hold 168 hours."""
        hours = tuple(int(environments) for environments in document["hours"])
        if len(hours) != _WEEK:
            raise ValueError(f"a week has {_WEEK} hours, but {len(hours)} are stored")
        return cls(
            ZoneInfo(document["timezone"]).key,
            hours,
            str(document.get("plan", "")),
            bool(document.get("scaled", False)),
            cls.from_document(document["proposed"]) if "proposed" in document else None,
        )

    def may_have_changed(self, plans: Collection[str]) -> bool:
        """Return True if other environments may be provisioned by now. plans: marks of the timetables in place.

        Where nothing was provisioned nor proposed, at most a day of pings finds warm environments; that costs less than
        asking for every function at each run."""
        return any(self.hours) or self.proposed is not None or bool(plans)

    def now(self, environments: int, plans: Collection[str]) -> "ProvisionedHours":
        """Return what is provisioned in the hours ahead. environments: held by the alias at this moment."""
        for known in (self, self.proposed):
            if known is not None and known.plan and known.plan in plans:
                return replace(known, proposed=None)
        # A timetable without its mark was stored by an earlier version, which wrote none.
        if (self.scaled and environments) or (plans and not self.plan and len(set(self.hours)) > 1):
            return replace(self, proposed=None)
        return ProvisionedHours(self.timezone, (environments,) * _WEEK)

    def ahead(self, start: int, hours_ahead: int, holidays: AbstractSet[date] = frozenset()) -> Floats:
        """Return the environments that are provisioned in each minute from `start` since 1970 on. On a holiday, a
        timetable holds no more than on a Sunday."""
        zone, minutes = ZoneInfo(self.timezone), start + np.arange(hours_ahead * _HOUR)
        local = minutes + offsets_minutes(zone, minutes)
        hours = np.array(self.hours, np.float64)
        usual = hours[(local // _HOUR + _FIRST_HOUR) % _WEEK]
        is_holiday = np.isin(local // DAY_MINUTES, [day.toordinal() - _EPOCH for day in holidays])
        return np.asarray(np.where(is_holiday, np.minimum(usual, hours[_SUNDAY + local % DAY_MINUTES // _HOUR]), usual))

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
        provisioned = self.ahead(now, hours_ahead)
        of_day = np.full(DAY_MINUTES, np.inf)
        np.minimum.at(of_day, local % DAY_MINUTES, provisioned)
        past = start + np.arange(len(need))
        least = np.nan_to_num(of_day, posinf=0.0)[(past + offsets_minutes(zone, past)) % DAY_MINUTES]
        return np.where(need <= least, 0.0, need)
