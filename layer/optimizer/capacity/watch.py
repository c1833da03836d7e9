"""When a change is looked at after it was applied. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# CloudWatch takes some minutes until the metrics of a minute are complete.
_LATE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Watch:
    """Ages in minutes, rising, at which a change that was applied at `applied_at` is looked at."""

    applied_at: datetime
    minutes: Sequence[int]

    @property
    def looks(self) -> int:
        """How often it is looked at."""
        return len(self.minutes)

    def end(self, number: int) -> datetime:
        """Where the window of look `number` (from 0) ends; after the last look, that of the last."""
        return self.applied_at + timedelta(minutes=self.minutes[min(number, self.looks - 1)])

    def looked_at(self, number: int) -> datetime:
        """When the metrics of that window are there."""
        return self.end(number) + _LATE

    def is_last(self, number: int) -> bool:
        """Whether nothing comes after this look."""
        return number >= self.looks - 1

    def number(self, now: datetime) -> int:
        """The latest look whose window is over; -1 before the first."""
        return sum(self.looked_at(number) <= now for number in range(self.looks)) - 1

    def wait_s(self, number: int, now: datetime) -> int:
        """Seconds from `now` until that look."""
        return max(1, math.ceil((self.looked_at(number) - now).total_seconds()))
