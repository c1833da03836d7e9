"""Forecast invocations per hour for one day. A back-test on the function's own past chooses the method."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.core import OptimizerError
from optimizer.traffic.forecast.daily import DAY, WEEK, Day, days_at
from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import local_hours

# The usual hour of a week is a mean of up to four weeks; less than two of them tell nothing about a week.
LEAST_HOURS = 3 * WEEK
# The penalty of the ridge regression, as a multiple of the variance of the features.
DOUBT = 10.0
FOLDS = 7
# How fast the level of a quantile follows: a day of misses alone moves it by a twentieth.
LEVEL_STEP = 0.05
AT_LEVEL = "usual week at today's level"


class TooLittleHistory(OptimizerError, ValueError):
    """Fewer than three weeks of hours are known: too few to tell a weekly season from chance."""


@dataclass(frozen=True, slots=True)
class HourForecast:
    """The forecast of invocations for each hour ahead."""

    # The median.
    expected: Reals
    # The requested quantile, and its counterpart at the other end (0.1 for 0.9).
    quantile: Reals
    lower: Reals
    # The method that was chosen, and the weighted absolute percentage error of each method in the back-test.
    method: str
    errors: dict[str, float]


def forecast_hours(
    hours: Reals, start: datetime, time_zone: str, hours_ahead: int = DAY, quantile: float = 0.9
) -> HourForecast:
    """Forecast `hours_ahead` hours (1 to 24) from `hours`, the invocations per hour up to `start`; NaN is unknown.

    The forecast works in local civil time. The back-test forecasts past days from the same hour of the day, and judges
    each method on days that it was not fitted to. Raises TooLittleHistory if less than three weeks are known, and
    ValueError for another number of hours.
    """
    if not 1 <= hours_ahead <= DAY:
        raise ValueError(f"hours_ahead must be from 1 to {DAY}, not {hours_ahead}")
    local, ahead = _local(hours, start, ZoneInfo(time_zone), hours_ahead)
    if np.count_nonzero(~np.isnan(local)) < LEAST_HOURS - 2:
        raise TooLittleHistory(f"{len(hours)} hours are known; a forecast needs {LEAST_HOURS}")
    logs = np.log(np.maximum(local, 1.0))
    origins = range(len(logs) - DAY, LEAST_HOURS - WEEK - 1, -DAY)
    today, *past = days_at(np.append(logs, np.full(DAY, np.nan)), [len(logs), *origins])
    actual = np.stack([logs[origin : origin + DAY] for origin in origins])
    tested = {name: method(past, actual) for name, method in METHODS.items()}
    errors = {name: _wape(np.exp(actual), np.exp(_filled(forecast))) for name, forecast in tested.items()}
    best = min(errors, key=lambda name: errors[name])
    if _is_shifted(today, past):
        best = AT_LEVEL
    expected = _filled(METHODS[best]([today, *past], np.vstack([np.full(DAY, np.nan), actual]))[:1])[0]
    residuals = (actual - _filled(tested[best]))[::-1]
    above, below = (adaptive_quantile(residuals, level) for level in (quantile, 1 - quantile))
    return HourForecast(
        expected=np.exp(expected[ahead]),
        quantile=np.exp(expected[ahead] + above),
        lower=np.exp(expected[ahead] + below),
        method=best,
        errors=errors,
    )


def adaptive_quantile(errors: Reals, quantile: float) -> float:
    """Return the error that a share of 1 - `quantile` of future errors exceeds.

    errors: [days, hours], oldest first; NaN is unknown. The method is adaptive conformal inference (Gibbs and Candes
    2021): replayed over the days, the level rises after a day with more misses than promised and falls after a day
    with fewer.
    """
    level = quantile
    for day in range(7, len(errors)):
        known = errors[day][~np.isnan(errors[day])]
        if len(known):
            level += LEVEL_STEP * (quantile - float((known <= _quantile(errors[:day], level)).mean()))
    return _quantile(errors, level)


def _quantile(errors: Reals, level: float) -> float:
    known = errors[~np.isnan(errors)]
    return float(np.quantile(known, min(max(level, 0.0), 1.0))) if len(known) else 0.0


def _local(hours: Reals, start: datetime, zone: ZoneInfo, hours_ahead: int) -> tuple[Reals, Reals]:
    """Return the series by local hours, and the index of each hour ahead in the local day ahead.

    A skipped local hour is unknown; of a repeated one the later value is kept.
    """
    first = int(start.timestamp()) // 3600 - len(hours)
    utc = first + np.arange(len(hours) + hours_ahead)
    local = local_hours(zone, utc)
    origin = local[len(hours)]
    grid = np.full(origin - local[0], np.nan)
    behind = local[: len(hours)] < origin
    grid[(local[: len(hours)] - local[0])[behind]] = hours[behind]
    return grid, np.clip(local[len(hours) :] - origin, 0, DAY - 1)


def _is_shifted(today: Day, past: list[Day]) -> bool:
    """Return True if the level moved further than on any day of the back-test, and steadily.

    Steadily means by more than twice the standard deviation of the last 24 hours. The back-test has not tried its
    methods on such a shift.
    """
    surprise = today.features[:, 0]
    steady = not np.isnan(surprise).all() and abs(today.level) > 2 * float(np.nanstd(surprise))
    return steady and abs(today.level) > max(abs(day.level) for day in past)


def _filled(forecast: Reals) -> Reals:
    """Fill the hours that a method leaves unknown with the mean of the others."""
    usual = np.nanmean(forecast) if not np.isnan(forecast).all() else 0.0
    return np.where(np.isnan(forecast), usual, forecast)


def _wape(actual: Reals, forecast: Reals) -> float:
    return float(np.nansum(np.abs(actual - forecast)) / max(float(np.nansum(actual)), 1.0))


def _yesterday(days: list[Day], _actual: Reals) -> Reals:
    return np.stack([day.yesterday for day in days])


def _last_week(days: list[Day], _actual: Reals) -> Reals:
    return np.stack([day.last_week for day in days])


def _usual_at_level(days: list[Day], _actual: Reals) -> Reals:
    """Forecast the usual hour of the week, shifted by the level of the last 24 hours."""
    return np.stack([day.usual + day.level for day in days])


def _regression(days: list[Day], actual: Reals) -> Reals:
    """Forecast the usual hour of the week, corrected by how the last hours, day and week differed from theirs.

    A ridge regression with Huber's weights, fitted without the fold of days that it forecasts.
    """
    features = np.stack([day.features for day in days])
    target = actual - np.stack([day.usual for day in days])
    known = ~(np.isnan(target) | np.isnan(features).any(axis=2))
    out = np.full(actual.shape, np.nan)
    # Whole weeks are left out together, because neighbouring days resemble each other. A future day is its own fold.
    folds = np.where(np.isnan(actual).all(axis=1), FOLDS, np.arange(len(days)) // 7 % FOLDS)
    for fold in range(FOLDS + 1):
        mine = folds == fold
        others = known & ~mine[:, None]
        if mine.any() and np.count_nonzero(others) > WEEK:
            weights = _ridge(features[others], target[others])
            usual = np.stack([day.usual for day in days])[mine]
            out[mine] = usual + np.nan_to_num(features[mine]) @ weights
    return out


def _ridge(features: Reals, target: Reals) -> Reals:
    trust = np.ones(len(target))
    doubt = DOUBT * float(features.var(axis=0).mean()) * np.eye(features.shape[1])
    weights = np.zeros(features.shape[1])
    for _ in range(5):
        weighted = features * trust[:, None]
        weights = np.linalg.lstsq(weighted.T @ features + doubt, weighted.T @ target, rcond=None)[0]
        miss = np.abs(target - features @ weights)
        # Huber's weights at 1.345 standard deviations; the median of a normal error is 0.6745 of one.
        trust = np.minimum(1.0, 1.345 / 0.6745 * np.median(miss) / np.maximum(miss, 1e-12))
    return weights


type Method = Callable[[list[Day], Reals], Reals]

METHODS: dict[str, Method] = {
    "same hour yesterday": _yesterday,
    "same hour last week": _last_week,
    AT_LEVEL: _usual_at_level,
    "regression on the last hours, day and week": _regression,
}
