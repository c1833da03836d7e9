"""The times at which an applied change is looked at. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.capacity.canary import LookKind
from optimizer.policy import Memory

# CloudWatch takes some minutes to complete the metrics of a minute.
_LATE = timedelta(minutes=3)
_DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class ObservationTimes:
    """The looks at a change.

    minutes: ages at which it is looked at, rising. due: number of the look (from 0) from which on the change is decided
    as soon as there is enough data.
    """

    applied_at: datetime
    minutes: Sequence[int]
    due: int

    @classmethod
    def of(cls, limits: Memory, applied_at: datetime) -> "ObservationTimes":
        """Take the ages of the policy; for functions with few calls, go on doubling up to the longest observation."""
        minutes = list(limits.watch_minutes)
        due, longest = len(minutes) - 1, limits.longest_watch_hours * 60
        while minutes[-1] < longest:
            minutes.append(int(min(2 * minutes[-1], longest)))
        return cls(applied_at, tuple(minutes), due)

    def until_day(self, days: int) -> "ObservationTimes":
        """Return the times for a change that shows its effect only after `days`: due then, and final a day later."""
        due = days * _DAY_MINUTES
        early = [minutes for minutes in self.minutes if minutes < due]
        return ObservationTimes(self.applied_at, (*early, due, due + _DAY_MINUTES), len(early))

    @property
    def looks(self) -> int:
        """Largest number of looks."""
        return len(self.minutes)

    def end(self, number: int) -> datetime:
        """Return the end of the window of look `number` (from 0); after the last look, the end of the last."""
        return self.applied_at + timedelta(minutes=self.minutes[min(number, self.looks - 1)])

    def looked_at(self, number: int) -> datetime:
        """Return the time at which the metrics of that window are complete."""
        return self.end(number) + _LATE

    def kind(self, number: int) -> LookKind:
        """Return the kind of a look, which says what it may decide."""
        if number >= self.looks - 1:
            return LookKind.FINAL
        return LookKind.EARLY if number < self.due else LookKind.DUE

    def wait_s(self, number: int, now: datetime) -> int:
        """Return the seconds from `now` until that look."""
        return max(1, math.ceil((self.looked_at(number) - now).total_seconds()))
