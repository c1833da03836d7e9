"""Estimate how many calls of a minute come at the same moment, where more were in progress at once than by chance."""

import numpy as np

from optimizer.traffic.forecast.peaks import HOUR, calls_together, usual_peaks
from optimizer.traffic.history import Floats, History


def group_sizes(history: History) -> Floats:
    """Return how many calls come together in each minute of a history, at least 1.

    Little's law tells how many environments are at work on average, whatever the calls do. How many are at once it
    tells only of calls that come at random: twenty calls at second 0 need twenty environments, each busy for a moment.
    CloudWatch measures the most at once. Where that is more than chance explains, so many calls come together; where it
    is not known, a share of the calls does that the measured hours tell.
    """
    minutes = history.minutes
    groups = np.ones(len(minutes))
    first, last = -(-minutes.start // HOUR), minutes.end // HOUR
    if last <= first:
        return groups
    whole = slice(first * HOUR - minutes.start, last * HOUR - minutes.start)
    calls, duration_ms, concurrency = (
        minutes.values[name][whole] for name in ("invocations", "duration_ms", "concurrency")
    )
    timed = ~np.isnan(duration_ms) & (calls > 0)
    if not timed.any():
        return groups
    calls = np.nan_to_num(calls)
    mean_ms = float(np.average(duration_ms[timed], weights=calls[timed]))
    peaks = history.hours.window(first, last).values["concurrency"]
    # No call was in progress, or nothing is known of those that were.
    peaks = np.where(peaks > 0, peaks, np.nan)
    together = calls_together(calls, mean_ms, peaks)
    if not together.most:
        return groups
    # Calls in an hour need an environment even where CloudWatch counted none.
    by_chance = usual_peaks(calls, mean_ms, max(1, int(np.nanmax(peaks))))
    measured = np.where(concurrency > by_chance, concurrency, 1.0)
    sizes = np.where(np.isnan(concurrency), 1 + together.likely * (calls - 1), measured)
    groups[whole] = np.maximum(np.minimum(sizes, calls), 1.0)
    return groups
