"""What CloudWatch is asked for by the hour only, brought to the minutes.

Calls are read by the minute, their duration and the largest concurrency by the hour: a third of the points, and points
a second are what CloudWatch rations first. What an hour's concurrency adds to the calls of its minutes is little, as
long as the calls come at random; `has_bursts` finds the functions where they come at once.
"""

import numpy as np

from optimizer.traffic.concurrency import littles_law
from optimizer.traffic.history import Floats, History, Series

# An hour with more concurrent calls than so many times what its calls and their duration explain has bursts.
_MOST_EXPLAINED = 2.0


def repeat_by_minute(hours: Floats, minutes: int) -> Floats:
    """A value of each hour, for so many minutes from the first hour's first on."""
    return np.repeat(hours, 60)[:minutes]


def has_bursts(history: History) -> bool:
    """Whether calls come in bursts that one must know the minute of. The history as it is read, without any minute's
    concurrency."""
    known, _, ratio = _compared(history)
    return bool((known & (ratio > _MOST_EXPLAINED)).any())


def spread_concurrency(history: History) -> History:
    """The history with a concurrency for each minute with calls of which none is known, in the hours of which it is.

    It is Little's estimate for the minute, times what the hour's largest is of its largest estimate: so the hour's
    busiest minute has what CloudWatch reported. At least one and at most the calls.
    """
    known, estimated, ratio = _compared(history)
    minutes = history.minutes
    calls, concurrency = minutes.values["invocations"], minutes.values["concurrency"]
    scaled = np.minimum(np.maximum(np.ceil(estimated * ratio - 1e-9), 1.0), calls)
    values = {**minutes.values, "concurrency": np.where(np.isnan(concurrency) & known, scaled, concurrency)}
    return History(Series(minutes.start, values), history.hours)


def _compared(history: History) -> tuple[np.ndarray, Floats, Floats]:
    """For each minute: whether it has calls and its hour a known largest concurrency, Little's estimate, and that
    concurrency as a multiple of the hour's largest estimate."""
    minutes = history.minutes
    length, first_hour = len(minutes), minutes.start // 60
    # Series begin with an hour; the last one may not be over.
    hours = -(-length // 60)
    reported = history.hours.window(first_hour, first_hour + hours).values["concurrency"]
    calls = np.nan_to_num(minutes.values["invocations"])
    estimated = littles_law(calls, np.nan_to_num(minutes.values["duration_ms"]))
    largest = np.pad(estimated, (0, hours * 60 - length)).reshape(-1, 60).max(1)
    ratio = repeat_by_minute(reported / np.where(largest > 0, largest, np.nan), length)
    return (calls > 0) & ~np.isnan(ratio), estimated, ratio
