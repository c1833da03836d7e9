"""Which hours of a function's log were read, and which window to read next. Pure.

An hour is numbered from 1970 on; hours a week apart are alike. A run can pay for a part of a busy function's log only,
so successive runs take other hours until those of a whole week are known.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

WEEK_HOURS = 168
# What an hour unlike any that was read is worth beside one whose like was read in another week.
_NEW, _AGAIN = 1.0, 0.1


def hour_of(at: datetime) -> int:
    """Return the number of the hour that a time lies in."""
    return int(at.timestamp() // 3600)


def start_of(hour: int) -> datetime:
    """Return the time at which an hour begins."""
    return datetime.fromtimestamp(hour * 3600, UTC)


def unread_hours(called: Iterable[int], read: Collection[int]) -> set[int]:
    """Return those of the hours with calls whose like was read in no week."""
    known = {hour % WEEK_HOURS for hour in read}
    return {hour for hour in called if hour % WEEK_HOURS not in known}


def window_to_read(read: Collection[int], first: int, end: int, hours: int) -> tuple[int, int] | None:
    """Return the window of at most so many hours within [first, end) that tells most; None where all was read.

    Hours of the week that no run has read yet come first, then hours that were read in other weeks, the newest first.
    """
    length = min(hours, end - first)
    if length < 1:
        return None
    known, there = {hour % WEEK_HOURS for hour in read}, set(read)
    values = [0.0 if h in there else _AGAIN if h % WEEK_HOURS in known else _NEW for h in range(first, end)]
    best, best_value, value = None, 0.0, sum(values[:length])
    for start in range(len(values) - length + 1):
        if start:
            value += values[start + length - 1] - values[start - 1]
        # Sums of tenths differ in their last digits only.
        if value > 1e-6 and value >= best_value - 1e-6:
            best, best_value = start, value
    return None if best is None else (first + best, first + best + length)
