"""When a change is looked at after it was applied. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.capacity.canary import Look
from optimizer.policy import Memory

# CloudWatch takes some minutes until the metrics of a minute are complete.
_LATE = timedelta(minutes=3)
_DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Watch:
    """Ages in minutes, rising, at which a change that was applied at `applied_at` is looked at. From look number `due`
    (from 0) on it is decided as soon as there is enough to tell."""

    applied_at: datetime
    minutes: Sequence[int]
    due: int

    @classmethod
    def of(cls, limits: Memory, applied_at: datetime) -> "Watch":
        """The ages of the policy, and for functions with few calls twice the last one, again and again, up to the
        longest watch."""
        minutes = list(limits.watch_minutes)
        due, longest = len(minutes) - 1, limits.longest_watch_hours * 60
        while minutes[-1] < longest:
            minutes.append(int(min(2 * minutes[-1], longest)))
        return cls(applied_at, tuple(minutes), due)

    def until_day(self, days: int) -> "Watch":
        """The same for a change that shows only after so many days: looked at as often before, and a day later once
        more."""
        due = days * _DAY_MINUTES
        early = [minutes for minutes in self.minutes if minutes < due]
        return Watch(self.applied_at, (*early, due, due + _DAY_MINUTES), len(early))

    @property
    def looks(self) -> int:
        """How often it is looked at, at the most."""
        return len(self.minutes)

    def end(self, number: int) -> datetime:
        """Where the window of look `number` (from 0) ends; after the last look, that of the last."""
        return self.applied_at + timedelta(minutes=self.minutes[min(number, self.looks - 1)])

    def looked_at(self, number: int) -> datetime:
        """When the metrics of that window are there."""
        return self.end(number) + _LATE

    def look(self, number: int) -> Look:
        """What that look may decide."""
        if number >= self.looks - 1:
            return Look.FINAL
        return Look.EARLY if number < self.due else Look.DUE

    def wait_s(self, number: int, now: datetime) -> int:
        """Seconds from `now` until that look."""
        return max(1, math.ceil((self.looked_at(number) - now).total_seconds()))
