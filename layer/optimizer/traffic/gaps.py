"""Tell gaps in the metrics from minutes without calls.

CloudWatch reports no point for a minute without calls, and none for a minute whose metrics were lost. These rules hold
for the functions that are read together:

1. Before the first point of a function nothing is known: the function may not have existed.
2. After it, a minute without a point is a minute without calls,
3. unless it lies in a gap. A gap is a stretch of at most 24 whole hours in which none of the functions has a point,
   although such a silence has a probability below 1 % by the same hours of the other days. Minutes in a gap are
   unknown. A longer silence is no gap: lost metrics come back, deleted functions do not.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.history import History, Series, hours_from_minutes

_GAP_PROBABILITY = 0.01
_LONGEST_GAP_HOURS = 24


def settle(histories: Mapping[str, History], since_minute: int) -> dict[str, History]:
    """Return the histories with each minute and hour from `since_minute` on either known or part of a gap.

    Hours whose minutes are all known are computed from these minutes. histories: the functions that were read
    together; none of them was settled after `since_minute`.
    """
    gaps = _gap_hours(histories)
    return {name: _settled(history, gaps, since_minute) for name, history in histories.items()}


def _settled(history: History, gaps: NDArray[np.int64], since_minute: int) -> History:
    known_from = first_known_minute(history)
    if known_from is None:
        return history
    minutes = _filled(history.minutes, gaps, 1, max(since_minute, known_from))
    hours = history.hours.overlaid(hours_from_minutes(minutes))
    hours = _filled(hours, gaps, 60, max(since_minute, known_from))
    return History(minutes, hours)


def first_known_minute(history: History) -> int | None:
    """Return the minute (or the first minute of the hour) of the function's first known point; None without one."""
    firsts = []
    for series, length in ((history.minutes, 1), (history.hours, 60)):
        known = np.flatnonzero(~np.isnan(series.values["invocations"]))
        if len(known):
            firsts.append((series.start + int(known[0])) * length)
    return min(firsts, default=None)


def _filled(series: Series, gaps: NDArray[np.int64], length: int, since_minute: int) -> Series:
    numbers = series.start + np.arange(len(series))
    hour = numbers * length // 60
    calls = series.values["invocations"]
    silent = np.isnan(calls) & (numbers * length >= since_minute) & ~np.isin(hour, gaps)
    counts = ("invocations", "concurrency", "errors", "throttles")
    values = {
        name: np.where(silent & np.isnan(points), 0.0, points) if name in counts else points
        for name, points in series.values.items()
    }
    return Series(series.start, values)


def _gap_hours(histories: Mapping[str, History]) -> NDArray[np.int64]:
    """Return the numbers of the hours that belong to a gap."""
    seen = [hour for history in histories.values() for hour in _hours_with_points(history)]
    if not seen:
        return np.empty(0, np.int64)
    first = int(min(seen))
    end = max(*(history.end_minute // 60 for history in histories.values()), int(max(seen)) + 1)
    heard = np.zeros(end - first, bool)
    heard[np.array(seen) - first] = True

    hour_of_day = np.arange(len(heard)) % 24
    days = np.bincount(hour_of_day, minlength=24)
    quiet_days = np.bincount(hour_of_day, weights=~heard, minlength=24)
    # Laplace's rule of succession over the other days: even an hour that was never quiet has some chance of it.
    quiet_chance = (np.maximum(quiet_days[hour_of_day] - 1, 0) + 1) / (days[hour_of_day] - 1 + 2)

    gaps: list[int] = []
    edges = np.flatnonzero(np.diff(np.concatenate(([True], heard, [True])).astype(np.int8)))
    for begin, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - begin <= _LONGEST_GAP_HOURS and np.prod(quiet_chance[begin:stop]) < _GAP_PROBABILITY:
            gaps.extend(range(first + begin, first + stop))
    return np.array(gaps, np.int64)


def _hours_with_points(history: History) -> list[int]:
    """Return the hours in which the function was called, by either series. A stored zero is not a reported point."""
    minutes, hours = history.minutes, history.hours
    by_minute = (minutes.start + np.flatnonzero(np.nan_to_num(minutes.values["invocations"]) > 0)) // 60
    by_hour = hours.start + np.flatnonzero(np.nan_to_num(hours.values["invocations"]) > 0)
    return np.union1d(by_minute, by_hour).tolist()
