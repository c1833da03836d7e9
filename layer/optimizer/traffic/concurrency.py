"""Environments needed in every minute, and what is usual for a time of day and a weekday."""

from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic.history import DAY_MINUTES, Floats, Series
from optimizer.traffic.local_time import Ints, same_time_on_other_days

WEEKDAY_WEIGHT = 3.0
DAY_DECAY = 0.93


def environments_needed(minutes: Series) -> Floats:
    """For each minute of a History's minute series; NaN where nothing is known.

    The largest number of concurrent executions where CloudWatch reported it, else `littles_law`, with the mean
    duration for minutes whose own is not known.
    """
    calls, duration_ms = minutes.values["invocations"], minutes.values["duration_ms"]
    concurrency = minutes.values["concurrency"]
    known = ~np.isnan(duration_ms) & (calls > 0)
    mean_ms = float(np.average(duration_ms[known], weights=calls[known])) if known.any() else 0.0
    estimated = littles_law(calls, np.where(known, duration_ms, mean_ms))
    reported = ~np.isnan(concurrency) & (calls > 0)
    return np.where(reported, np.maximum(concurrency, 1.0), estimated)


def littles_law(calls: Floats, duration_ms: Floats | float) -> Floats:
    """Environments for so many calls a minute: Little's law, load L = rate x duration, with a safety term for calls
    that come at random: min(calls, ceil(L + 2 sqrt L)); at least one where there is a call."""
    load = calls / 60 * np.asarray(duration_ms, np.float64) / 1000
    return np.where(calls > 0, np.minimum(np.maximum(np.ceil(load + 2 * np.sqrt(load)), 1), calls), calls)


def usual_need(
    need: Floats, start: int, at: Ints, zone: ZoneInfo, quantiles: tuple[float, ...], *, before: int = 0, after: int = 1
) -> Floats:
    """Weighted quantiles of the need at the same local time on up to 14 earlier days.

    need: environments per minute from minute `start` on, NaN not known. at: minutes since 1970, not before the end
    of `need`. The need of a day is its largest in the minutes [t - before, t + after). The same weekday counts
    WEEKDAY_WEIGHT times, and every day of age DAY_DECAY of the day after it. Result: one row for each quantile;
    NaN where no day is known.
    """
    days = min(len(need) // DAY_MINUTES, 14)
    end = start + len(need)
    # A minute more than a day ahead has its latest known like more than a day before it.
    ahead = -(-(int(at.max()) + 1 - end) // DAY_MINUTES) if days and len(at) else 0
    peaks, weights = [], []
    for age in range(1, days + ahead + 1):
        then = same_time_on_other_days(zone, at, -age)
        window = then[:, None] + np.arange(-before, after)
        inside = (window >= start) & (window < end)
        values = np.where(inside, need[np.clip(window - start, 0, len(need) - 1)], np.nan)
        peak = np.where(np.isnan(values), -1.0, values).max(1)
        # Half a window says nothing about its peak.
        peaks.append(np.where(inside.all(1) & (peak >= 0), peak, np.nan))
        weights.append(DAY_DECAY**age * (WEEKDAY_WEIGHT if age % 7 == 0 else 1.0))
    if not peaks:
        return np.full((len(quantiles), len(at)), np.nan)
    return weighted_quantiles(np.stack(peaks), np.array(weights), quantiles)


def weighted_quantiles(values: Floats, weights: Floats, quantiles: tuple[float, ...]) -> Floats:
    """For each column of `values` (rows weigh `weights`, NaN is left out) the smallest value that has at least the
    share q of the weight at or below it; NaN where a column has none."""
    weight = np.where(np.isnan(values), 0.0, weights[:, None])
    order = np.argsort(np.where(np.isnan(values), np.inf, values), axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, 0)
    total = weight.sum(0)
    share = np.cumsum(np.take_along_axis(weight, order, 0), 0) / np.where(total > 0, total, 1.0)
    rows = []
    for quantile in quantiles:
        pick = np.minimum((share < quantile - 1e-12).sum(0), len(values) - 1)
        rows.append(np.where(total > 0, np.take_along_axis(ordered, pick[None], 0)[0], np.nan))
    return np.stack(rows)
