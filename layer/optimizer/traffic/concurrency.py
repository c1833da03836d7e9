"""Environments needed in each minute, and the usual number at a time of day and weekday."""

from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic.history import DAY_MINUTES, Floats, Ints, Series, same_time_on_other_days

WEEKDAY_WEIGHT = 3.0
DAY_DECAY = 0.93
_MINUTE_MS = 60_000.0
# Lambda ends a call after 15 minutes.
_LONGEST_MINUTES = 15


def environments_needed(minutes: Series) -> Floats:
    """Return the environments needed in each minute of a History's minute series; NaN if unknown.

    This is the maximum of concurrent executions if CloudWatch reported it, otherwise the estimate of `estimated_need`.
    Minutes without a known duration take the mean duration.
    """
    calls, duration_ms = minutes.values["invocations"], minutes.values["duration_ms"]
    concurrency = minutes.values["concurrency"]
    known = ~np.isnan(duration_ms) & (calls > 0)
    mean_ms = float(np.average(duration_ms[known], weights=calls[known])) if known.any() else 0.0
    estimated = estimated_need(calls, np.where(known, duration_ms, mean_ms))
    reported = ~np.isnan(concurrency) & (calls > 0)
    return np.where(reported, np.maximum(concurrency, 1.0), estimated)


def littles_law(calls: Floats, duration_ms: Floats | float) -> Floats:
    """Return the environments for `calls` a minute by Little's law with a safety term for random arrivals.

    The load is L = calls per second x duration; the result is min(calls, ceil(L + 2 sqrt L)), and at least one if
    there is a call.
    """
    load = calls / 60 * np.asarray(duration_ms, np.float64) / 1000
    return np.where(calls > 0, np.minimum(np.maximum(np.ceil(load + 2 * np.sqrt(load)), 1), calls), calls)


def estimated_need(calls: Floats, duration_ms: Floats) -> Floats:
    """Return the estimate of `littles_law` for consecutive minutes, of which calls may last several."""
    longer = _minutes_each(duration_ms)
    if longer.max(initial=1) == 1:
        return littles_law(calls, duration_ms)
    begun = calls_in_progress(calls, duration_ms)
    load = busy_on_average(calls, duration_ms)
    need = np.minimum(np.maximum(np.ceil(load + 2 * np.sqrt(load) - 1e-9), 1), begun)
    return np.where(begun > 0, need, calls)


def calls_in_progress(calls: Floats, duration_ms: Floats) -> Floats:
    """Return the calls of consecutive minutes, each counted in all minutes that it may last into; NaN if unknown."""
    return _spread(calls, np.nan_to_num(calls), _minutes_each(duration_ms))


def busy_on_average(calls: Floats, duration_ms: Floats) -> Floats:
    """Return the environments at work in each of consecutive minutes, on average (Little's law); NaN if unknown.

    CloudWatch counts a call, and how long it lasts, in the minute in which it begins; it keeps an environment busy in
    the minutes after it as well.
    """
    minutes = _minutes_each(duration_ms)
    busy = np.where(calls > 0, calls * duration_ms / _MINUTE_MS, 0.0 * calls)
    return _spread(busy, np.nan_to_num(busy) / minutes, minutes)


def _minutes_each(duration_ms: Floats) -> Ints:
    return np.clip(np.ceil(np.nan_to_num(duration_ms) / _MINUTE_MS), 1, _LONGEST_MINUTES).astype(np.int64)


def _spread(values: Floats, shares: Floats, minutes: Ints) -> Floats:
    """Return the sums of the shares that each minute gives to so many minutes from itself on; NaN as in `values`."""
    total = shares.copy()
    for later in range(1, int(minutes.max(initial=1))):
        total[later:] += np.where(minutes[:-later] > later, shares[:-later], 0.0)
    return np.where(np.isnan(values), values, total)


def usual_need(
    need: Floats, start: int, at: Ints, zone: ZoneInfo, quantiles: tuple[float, ...], *, before: int = 0, after: int = 1
) -> Floats:
    """Return weighted quantiles of the need at the same local time on up to 14 earlier days.

    need: environments per minute from minute `start` on; NaN if unknown. at: minutes since 1970, none before the end
    of `need`. The need of a day is its maximum in the minutes [t - before, t + after). The same weekday weighs
    WEEKDAY_WEIGHT times as much, and each day weighs DAY_DECAY times as much as the day after it. The result has one
    row for each quantile; NaN if no day is known.
    """
    days = min(len(need) // DAY_MINUTES, 14)
    end = start + len(need)
    # For a minute more than a day ahead, the latest known day lies more than one day before it.
    ahead = -(-(int(at.max()) + 1 - end) // DAY_MINUTES) if days and len(at) else 0
    peaks, weights = [], []
    for age in range(1, days + ahead + 1):
        then = same_time_on_other_days(zone, at, -age)
        window = then[:, None] + np.arange(-before, after)
        inside = (window >= start) & (window < end)
        values = np.where(inside, need[np.clip(window - start, 0, len(need) - 1)], np.nan)
        peak = np.where(np.isnan(values), -1.0, values).max(1)
        # A window that is only partly known says nothing about its peak.
        peaks.append(np.where(inside.all(1) & (peak >= 0), peak, np.nan))
        weights.append(DAY_DECAY**age * (WEEKDAY_WEIGHT if age % 7 == 0 else 1.0))
    if not peaks:
        return np.full((len(quantiles), len(at)), np.nan)
    return weighted_quantiles(np.stack(peaks), np.array(weights), quantiles)


def weighted_quantiles(values: Floats, weights: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Return the weighted quantiles of each column of `values`: one row for each quantile.

    A quantile q is the smallest value that has at least the share q of the weight at or below it. Rows weigh
    `weights`; NaN is left out. The result is NaN for a column without a known value.
    """
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
