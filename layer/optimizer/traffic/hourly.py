"""Spread metrics that are read by the hour over the minutes of that hour.

Calls are read by the minute; their duration and the maximum of concurrency are read by the hour. That is a third of
the points, and points a second are the first limit of CloudWatch. As long as calls arrive at random, the concurrency
of each minute would add little; `has_bursts` finds the functions whose calls arrive at once.
"""

import numpy as np

from optimizer.traffic.concurrency import calls_in_progress, estimated_need
from optimizer.traffic.history import Floats, History, Series

# An hour has bursts if its concurrency exceeds its estimate from calls and duration by more than this factor.
_MOST_EXPLAINED = 2.0


def repeat_by_minute(hours: Floats, minutes: int) -> Floats:
    """Return the value of each hour for each of its minutes, `minutes` in total."""
    return np.repeat(hours, 60)[:minutes]


def has_bursts(history: History) -> bool:
    """Return True if calls arrive in bursts, so that the concurrency of each minute must be read.

    history: as it was read, without the concurrency of minutes.
    """
    known, _, ratio = _compared(history)
    return bool((known & (ratio > _MOST_EXPLAINED)).any())


def spread_concurrency(history: History) -> History:
    """Return the history with a concurrency for each minute with calls, if that of its hour is known.

    The value is the estimate of the minute by Little's law, scaled so that the busiest minute of the hour has the
    concurrency that CloudWatch reported for the hour; at least one, and at most the calls that may be in progress.
    Known values stay.
    """
    known, estimated, ratio = _compared(history)
    minutes = history.minutes
    calls, concurrency = minutes.values["invocations"], minutes.values["concurrency"]
    begun = calls_in_progress(calls, minutes.values["duration_ms"])
    scaled = np.minimum(np.maximum(np.ceil(estimated * ratio - 1e-9), 1.0), begun)
    values = {**minutes.values, "concurrency": np.where(np.isnan(concurrency) & known, scaled, concurrency)}
    return History(Series(minutes.start, values), history.hours)


def _compared(history: History) -> tuple[np.ndarray, Floats, Floats]:
    """Return three arrays with one value for each minute.

    The first is True if the minute has calls and the concurrency of its hour is known. The second is the estimate by
    Little's law. The third is the concurrency of the hour as a multiple of the largest estimate in the hour.
    """
    minutes = history.minutes
    length, first_hour = len(minutes), minutes.start // 60
    # A series begins at a full hour; its last hour may not be over.
    hours = -(-length // 60)
    reported = history.hours.window(first_hour, first_hour + hours).values["concurrency"]
    calls = np.nan_to_num(minutes.values["invocations"])
    estimated = np.where(calls > 0, estimated_need(calls, np.nan_to_num(minutes.values["duration_ms"])), 0.0)
    largest = np.pad(estimated, (0, hours * 60 - length)).reshape(-1, 60).max(1)
    ratio = repeat_by_minute(reported / np.where(largest > 0, largest, np.nan), length)
    return (calls > 0) & ~np.isnan(ratio), estimated, ratio
