"""Hourly forecasts: seasons, holidays, level shifts, gaps, and quantiles that keep their promise."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from optimizer.traffic.forecast.hours import TooLittleHistory, adaptive_quantile, forecast_hours

WEEK = 168
START = datetime(2026, 3, 9, tzinfo=UTC)


def weekly(weeks: int, seed: int = 1, noise: float = 0.03) -> np.ndarray:
    """A daily wave, half of it at the weekend."""
    hour = np.arange(weeks * WEEK)
    level = 1000 * (1.5 + np.sin(hour / 24 * 2 * np.pi)) * np.where(hour // 24 % 7 >= 5, 0.5, 1.0)
    return level * np.exp(np.random.default_rng(seed).normal(0, noise, len(hour)))


def error(came: np.ndarray, forecast: np.ndarray) -> float:
    return float(np.abs(came - forecast).sum() / came.sum())


def test_forecast_finds_a_daily_and_weekly_season() -> None:
    hours = weekly(9)
    made = forecast_hours(hours[: 8 * WEEK], START, "UTC")
    assert error(hours[8 * WEEK : 8 * WEEK + 24], made.expected) < 0.06


def test_forecast_uses_the_method_with_the_least_error() -> None:
    made = forecast_hours(weekly(8), START, "UTC")
    assert made.errors[made.method] == min(made.errors.values())


def test_forecast_follows_traffic_that_doubled_overnight() -> None:
    hours = weekly(9)
    hours[8 * WEEK - 24 :] *= 2
    made = forecast_hours(hours[: 8 * WEEK], START, "UTC")
    assert error(hours[8 * WEEK : 8 * WEEK + 24], made.expected) < 0.25


def test_one_holiday_does_not_move_the_forecast() -> None:
    hours = weekly(9)
    expected = forecast_hours(hours[: 8 * WEEK], START, "UTC").expected
    hours[5 * WEEK : 5 * WEEK + 24] *= 0.2
    made = forecast_hours(hours[: 8 * WEEK], START, "UTC")
    assert error(expected, made.expected) < 0.15


def test_unknown_hours_are_not_zero() -> None:
    hours = weekly(9)
    hours[6 * WEEK : 6 * WEEK + 30] = np.nan
    made = forecast_hours(hours[: 8 * WEEK], START, "UTC")
    assert error(hours[8 * WEEK : 8 * WEEK + 24], made.expected) < 0.1


def test_forecast_needs_three_weeks() -> None:
    with pytest.raises(TooLittleHistory):
        forecast_hours(weekly(2), START, "UTC")


@pytest.mark.parametrize("start", [datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)])
def test_forecast_keeps_local_time_when_clocks_change(start: datetime) -> None:
    zone = ZoneInfo("Europe/Berlin")
    whole = [start + timedelta(hours=index) for index in range(-8 * WEEK, 23)]
    calls = np.array([1000.0 if 9 <= moment.astimezone(zone).hour < 17 else 10.0 for moment in whole])
    made = forecast_hours(calls[: 8 * WEEK], start, "Europe/Berlin", 23)
    assert error(calls[8 * WEEK :], made.expected) < 0.05


def test_quantile_covers_the_promised_share() -> None:
    hours = weekly(30, noise=0.2)
    inside = []
    for day in range(9 * 7, 30 * 7):
        made = forecast_hours(hours[(day - 63) * 24 : day * 24], START, "UTC")
        inside.append(hours[day * 24 : day * 24 + 24] <= made.quantile)
    assert 0.88 <= np.mean(inside) <= 0.92


def test_quantiles_widen_when_errors_grow() -> None:
    errors = np.random.default_rng(3).normal(0, 0.1, (42, 24))
    calm = adaptive_quantile(errors, 0.9)
    errors[-10:] *= 4
    assert adaptive_quantile(errors, 0.9) > 1.5 * calm
