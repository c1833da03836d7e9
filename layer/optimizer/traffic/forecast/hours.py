"""Invocations per hour, one day ahead: several methods, of which a function's own past chooses, with quantiles."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.core import OptimizerError
from optimizer.traffic.forecast.daily import DAY, WEEK, Day, day_at
from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.local_time import offsets_minutes

# Four weeks make the usual hour of a week; without two of them there is no week to speak of.
LEAST_HOURS = 3 * WEEK
# Ridge: as many days' worth of doubt as the features have variance.
DOUBT = 10.0
FOLDS = 7
# How fast the level of a quantile follows: a day of misses alone moves it by a twentieth.
LEVEL_STEP = 0.05
AT_LEVEL = "usual week at today's level"


class TooLittleHistory(OptimizerError, ValueError):
    """Fewer than three weeks of hours: no weekly season can be told from chance."""


@dataclass(frozen=True, slots=True)
class HourForecast:
    """Invocations of each hour ahead: `expected` (median), the quantile asked for and `lower`, as far from the other
    end (0.1 beside 0.9); `method` that won the back-test, with each method's weighted absolute percentage error in it.
    """

    expected: Reals
    quantile: Reals
    lower: Reals
    method: str
    errors: dict[str, float]


def forecast_hours(
    hours: Reals, start: datetime, time_zone: str, hours_ahead: int = DAY, quantile: float = 0.9
) -> HourForecast:
    """Forecast `hours_ahead` (at most 24) from `hours`, invocations per hour up to `start`; NaN is not known.

    Works in local civil time. Methods compete on the days of the last six weeks at the same hour of the day; each is
    judged on days that it was not fitted to. TooLittleHistory below three weeks.
    """
    if not 1 <= hours_ahead <= DAY:
        raise ValueError(f"hours_ahead must be from 1 to {DAY}, not {hours_ahead}")
    local, ahead = _local(hours, start, ZoneInfo(time_zone), hours_ahead)
    if np.count_nonzero(~np.isnan(local)) < LEAST_HOURS - 2:
        raise TooLittleHistory(f"{len(hours)} hours are known; a forecast needs {LEAST_HOURS}")
    logs = np.log(np.maximum(local, 1.0))
    origins = range(len(logs) - DAY, LEAST_HOURS - WEEK - 1, -DAY)
    past = [day_at(logs, origin) for origin in origins]
    today = day_at(np.append(logs, np.full(DAY, np.nan)), len(logs))
    came = np.stack([logs[origin : origin + DAY] for origin in origins])
    tested = {name: method(past, came) for name, method in METHODS.items()}
    errors = {name: _wape(np.exp(came), np.exp(_filled(forecast))) for name, forecast in tested.items()}
    best = min(errors, key=lambda name: errors[name])
    if _shifted(today, past):
        best = AT_LEVEL
    expected = _filled(METHODS[best]([today, *past], np.vstack([np.full(DAY, np.nan), came]))[:1])[0]
    missed = (came - _filled(tested[best]))[::-1]
    above, below = (adaptive_quantile(missed, level) for level in (quantile, 1 - quantile))
    return HourForecast(
        expected=np.exp(expected[ahead]),
        quantile=np.exp(expected[ahead] + above),
        lower=np.exp(expected[ahead] + below),
        method=best,
        errors=errors,
    )


def adaptive_quantile(errors: Reals, quantile: float) -> float:
    """The error that is exceeded by 1 - `quantile` of what comes; `errors` is [days, hours], oldest first.

    Adaptive conformal inference (Gibbs and Candes 2021): replayed over the days, the level asked of the errors so far
    goes up after a day with more misses than promised and down after one with fewer. NaN is not known.
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
    """The series on local hours (a skipped hour is not known, of a repeated one the later counts), and for each
    hour ahead its place in the local day ahead."""
    first = int(start.timestamp()) // 3600 - len(hours)
    utc = first + np.arange(len(hours) + hours_ahead)
    local = utc + offsets_minutes(zone, utc * 60) // 60
    origin = local[len(hours)]
    grid = np.full(origin - local[0], np.nan)
    behind = local[: len(hours)] < origin
    grid[(local[: len(hours)] - local[0])[behind]] = hours[behind]
    return grid, np.clip(local[len(hours) :] - origin, 0, DAY - 1)


def _shifted(today: Day, past: list[Day]) -> bool:
    """Whether the level has moved further than ever in the back-test, and all through the last 24 hours (by more than
    twice their spread): what won the back-test was not tried on that."""
    surprise = today.features[:, 0]
    steady = not np.isnan(surprise).all() and abs(today.level) > 2 * float(np.nanstd(surprise))
    return steady and abs(today.level) > max(abs(day.level) for day in past)


def _filled(forecast: Reals) -> Reals:
    """Hours that a method cannot tell take the mean of those it can."""
    usual = np.nanmean(forecast) if not np.isnan(forecast).all() else 0.0
    return np.where(np.isnan(forecast), usual, forecast)


def _wape(came: Reals, forecast: Reals) -> float:
    return float(np.nansum(np.abs(came - forecast)) / max(float(np.nansum(came)), 1.0))


def _yesterday(days: list[Day], _came: Reals) -> Reals:
    return np.stack([day.yesterday for day in days])


def _last_week(days: list[Day], _came: Reals) -> Reals:
    return np.stack([day.last_week for day in days])


def _usual_at_level(days: list[Day], _came: Reals) -> Reals:
    """The usual hour of the week, as far above or below as the last 24 hours were."""
    return np.stack([day.usual + day.level for day in days])


def _regression(days: list[Day], came: Reals) -> Reals:
    """The usual hour of the week, corrected by what the last hours, day and week were beside theirs: ridge
    regression with Huber's weights, fitted without the fold of days that it forecasts."""
    features = np.stack([day.features for day in days])
    target = came - np.stack([day.usual for day in days])
    known = ~(np.isnan(target) | np.isnan(features).any(axis=2))
    out = np.full(came.shape, np.nan)
    # Whole weeks are left out together: neighbouring days resemble each other. A day still to come is its own fold.
    folds = np.where(np.isnan(came).all(axis=1), FOLDS, np.arange(len(days)) // 7 % FOLDS)
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
        # Huber's weights at 1.345 standard deviations, 0.6745 of which is the median of a normal error.
        trust = np.minimum(1.0, 1.345 / 0.6745 * np.median(miss) / np.maximum(miss, 1e-12))
    return weights


type Method = Callable[[list[Day], Reals], Reals]

METHODS: dict[str, Method] = {
    "same hour yesterday": _yesterday,
    "same hour last week": _last_week,
    AT_LEVEL: _usual_at_level,
    "regression on the last hours, day and week": _regression,
}
