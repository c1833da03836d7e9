"""Calls of a month and their mean duration, from the last weeks by the hour. Pure."""

from dataclasses import dataclass

import numpy as np

from optimizer.advice.model import Signals

DAYS_A_MONTH = 365 / 12
_WEEKS = 4
# A shorter time says little about a month.
_LEAST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Month:
    """The calls of a month and their mean duration."""

    calls: float
    mean_ms: float


def month_of(signals: Signals) -> Month | None:
    """Return the calls of a month at the traffic of the last weeks; None where less than a week is known."""
    last = signals.hours.window(max(signals.hours.start, signals.hours.end - _WEEKS * 7 * 24), signals.hours.end)
    if not len(last):
        return None
    calls, durations = last.values["invocations"], last.values["duration_ms"]
    known, timed = ~np.isnan(calls), (calls > 0) & ~np.isnan(durations)
    days = known.sum() / 24
    if days < _LEAST_DAYS or not timed.any():
        return None
    mean_ms = float(np.average(durations[timed], weights=calls[timed]))
    return Month(float(calls[known].sum()) / float(days) * DAYS_A_MONTH, mean_ms)
