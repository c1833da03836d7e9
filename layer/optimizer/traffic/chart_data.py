"""Chart data of a function's traffic for the report: the usual week, forecast and actual calls, needed environments.
Pure."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.core import moment_of
from optimizer.traffic.concurrency import environments_needed
from optimizer.traffic.forecast import Reals, TooLittleHistory, forecast_hours
from optimizer.traffic.history import History, local_hours

_WEEKS = 4
_DAY, _WEEK = 24, 7 * 24
# The probability of the prediction interval.
BAND = 0.8


def traffic_charts(history: History, timezone: str) -> dict[str, Any]:
    """Return the chart data of a settled history, as docs/architecture.md describes it under "A picture".

    Unknown numbers are null.
    """
    zone = ZoneInfo(timezone)
    return {
        "week": usual_week(history, zone),
        "forecasts": [made for ago in (_DAY, 0) if (made := forecast_and_actual(history, timezone, ago)) is not None],
        "band": BAND,
        "need": hourly_need(history, zone),
    }


def usual_week(history: History, zone: ZoneInfo) -> list[list[float | None]]:
    """Return the mean calls of each local hour over the last four weeks: seven lists of 24, Monday first."""
    hours = history.hours.window(max(history.hours.start, history.hours.end - _WEEKS * _WEEK), history.hours.end)
    calls = hours.values["invocations"]
    number = hours.start + np.arange(len(calls))
    # 1 January 1970 was a Thursday.
    slot = (local_hours(zone, number) + 3 * _DAY) % _WEEK
    known = ~np.isnan(calls)
    sums = np.bincount(slot[known], weights=calls[known], minlength=_WEEK)
    counts = np.bincount(slot[known], minlength=_WEEK)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return [_numbers(day, 1) for day in means.reshape(7, _DAY)]


def forecast_and_actual(history: History, timezone: str, hours_ago: int) -> dict[str, Any] | None:
    """Return the forecast of the 24 hours that begin `hours_ago` hours before the end of the history, and the actual
    calls.

    The forecast uses only what was known at that moment. Actual calls of the future are null. Returns None if too
    little was known.
    """
    calls = history.hours.values["invocations"]
    end = len(calls) - hours_ago
    start = moment_of((history.hours.start + end) * 60)
    try:
        upper = forecast_hours(calls[: max(end, 0)], start, timezone, _DAY, 1 - (1 - BAND) / 2)
    except TooLittleHistory:
        return None
    actual = np.full(_DAY, np.nan)
    actual[: len(calls) - end] = calls[end : end + _DAY]
    return {
        "from": start.astimezone(ZoneInfo(timezone)).isoformat(),
        "method": upper.method,
        "expected": _numbers(upper.expected, 1),
        "low": _numbers(upper.lower, 1),
        "high": _numbers(upper.quantile, 1),
        "came": _numbers(actual, 1),
    }


def hourly_need(history: History, zone: ZoneInfo) -> dict[str, Any]:
    """Return the environments needed in each of the last 168 whole hours: the mean and the maximum of its minutes."""
    last = history.minutes.end // 60
    window = history.minutes.window((last - _WEEK) * 60, last * 60)
    minutes = environments_needed(window).reshape(-1, 60)
    unknown = np.isnan(minutes).all(axis=1)
    filled = np.where(unknown[:, None], 0.0, minutes)
    mean, most = np.nanmean(filled, axis=1), np.nanmax(filled, axis=1)
    start = moment_of(window.start) if len(window) else moment_of(0)
    return {
        "from": start.astimezone(zone).isoformat(),
        "mean": _numbers(np.where(unknown, np.nan, mean), 2),
        "most": _numbers(np.where(unknown, np.nan, most), 0),
    }


def _numbers(values: Reals, digits: int) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), digits) for value in values]
