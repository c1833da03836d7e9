"""Chart data of a function's traffic."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from optimizer.core.clock import minute_of
from optimizer.traffic import chart_data
from optimizer.traffic.history import MINUTE_METRICS, History, Series, hours_from_minutes

MONDAY = minute_of(datetime(2026, 6, 1, 0, 0, tzinfo=UTC))
BERLIN = ZoneInfo("Europe/Berlin")


def history(days: int, busy_hour_utc: int = 8) -> History:
    """One call a minute, sixty in the busy hour of weekdays, from a Monday on."""
    minutes = np.arange(days * 1440)
    busy = (minutes // 60 % 24 == busy_hour_utc) & (minutes // 1440 % 7 < 5)
    calls = np.where(busy, 60.0, 1.0)
    values = dict(zip(MINUTE_METRICS, (calls, np.full(len(calls), 500.0), np.full(len(calls), np.nan)), strict=True))
    series = Series(MONDAY, values)
    return History(series.window(series.end - 15 * 1440, series.end), hours_from_minutes(series))


def test_the_week_begins_on_monday_and_is_in_local_time() -> None:
    week = chart_data.usual_week(history(28), BERLIN)
    assert [len(day) for day in week] == [24] * 7
    assert week[0][10] == week[4][10] == 3600.0
    assert week[5][10] == week[0][8] == 60.0


def test_unknown_hours_of_the_week_are_null() -> None:
    week = chart_data.usual_week(history(3), BERLIN)
    assert week[0][10] == 3600.0
    assert week[4][10] is None


def test_chart_shows_the_forecast_beside_the_actual_calls() -> None:
    """The forecast is made from what was known then."""
    made = chart_data.forecast_and_actual(history(42), "Europe/Berlin", 24)
    assert made is not None
    assert made["from"] == "2026-07-12T02:00:00+02:00"
    assert made["came"] == [60.0] * 24
    assert all(low <= high for low, high in zip(made["low"], made["high"], strict=True))
    assert made["expected"] == pytest.approx(made["came"], rel=0.1)


def test_forecast_of_the_day_ahead_has_no_actual_calls() -> None:
    made = chart_data.forecast_and_actual(history(42), "UTC", 0)
    assert made is not None
    assert made["came"] == [None] * 24
    assert made["expected"][8] == pytest.approx(3600.0, rel=0.1)


def test_with_less_than_three_weeks_there_is_no_forecast() -> None:
    found = chart_data.traffic_charts(history(14), "UTC")
    assert found["forecasts"] == []
    assert found["band"] == 0.8


def test_the_need_is_that_of_the_last_whole_week() -> None:
    need = chart_data.hourly_need(history(28), BERLIN)
    assert need["from"] == "2026-06-22T02:00:00+02:00"
    assert (len(need["mean"]), need["mean"][8], need["most"][9]) == (168, 2.0, 1.0)
    assert chart_data.hourly_need(History.empty(), BERLIN)["mean"] == [None] * 168
