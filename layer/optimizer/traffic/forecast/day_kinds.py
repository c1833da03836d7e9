"""Kinds of days: which weekday a day resembles."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from optimizer.traffic.history import Ints

# Positions in a week that begins on Monday.
SATURDAY, SUNDAY = 5, 6
# 1 January 1970 was a Thursday.
_THURSDAY = 3


@dataclass(frozen=True, slots=True)
class DayKinds:
    """The days that do not resemble their weekday, as days since 1970."""

    # Like Sundays.
    holidays: frozenset[int] = frozenset()
    # Like Sundays from noon on.
    half_days: frozenset[int] = frozenset()
    # The weekday that a day resembles, Monday 0.
    like: Mapping[int, int] = field(default_factory=dict)

    def weekdays(self, days: Ints) -> Ints:
        """Return the weekday that each day resembles, up to noon for half days."""
        found = np.where(np.isin(days, list(self.holidays)), SUNDAY, (days + _THURSDAY) % 7)
        for day, weekday in self.like.items():
            found = np.where(days == day, weekday, found)
        return found

    def after_noon(self, days: Ints) -> Ints:
        """Return the weekday that each day resembles from noon on."""
        return np.where(np.isin(days, list(self.half_days)), SUNDAY, self.weekdays(days))
