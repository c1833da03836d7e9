"""Corrections by the time since the last call: rhythms without a time of day, and functions that have ended."""

from datetime import UTC, datetime

import numpy as np
import pytest
from optimizer.traffic.forecast.recency import ENDS_A_DAY, RETURNS_A_DAY, chance_alive, since_last_time
from optimizer.traffic.history import DAY_MINUTES
from optimizer.warmups.plan import WarmupPlan, WarmupRequest, plan_warmups

KEEP_ALIVE = 10
DAYS = 15


def planned(calls: np.ndarray) -> WarmupPlan:
    return plan_warmups(
        WarmupRequest(
            start=datetime(2026, 3, 10, tzinfo=UTC),
            hours_ahead=6,
            time_zone="UTC",
            duration_ms=500.0,
            keep_alive_minutes=KEEP_ALIVE,
            idle_minutes_per_cold_start=60.0,
            minutes=calls,
        )
    )


def is_warm(made: WarmupPlan, minute: int) -> bool:
    return any(at <= minute <= at + KEEP_ALIVE for at, _ in made.pings)


# 1440 is no multiple of them: no minute of the day says anything.
@pytest.mark.parametrize("period", [47, 95, 101])
def test_regular_call_is_expected_when_it_is_due(period: int) -> None:
    """A call every so many minutes is expected when due, whatever the time of day."""
    calls = np.zeros(DAYS * DAY_MINUTES + 360)
    calls[7::period] = 1
    known, ahead = calls[:-360], calls[-360:]
    made = planned(known)
    due = np.flatnonzero(ahead)
    assert all(is_warm(made, int(minute)) for minute in due)
    # Beside each call a minute or two for schedules that start late, and the keep-alive.
    assert sum(is_warm(made, minute) for minute in range(360)) <= (KEEP_ALIVE + 5) * (len(due) + 1)


def test_random_calls_leave_the_forecast_even() -> None:
    random = np.random.default_rng(3)
    short = (random.random(DAYS * DAY_MINUTES) < 0.005).astype(np.float32)
    tables = np.stack([short, 1 - short, np.ones_like(short)], axis=1).reshape(DAYS, DAY_MINUTES, 3)[::-1]
    daily = np.tile(np.array([0.005, 0.995], np.float32), (DAY_MINUTES, 1))
    ahead = since_last_time(daily, tables, np.arange(360), KEEP_ALIVE)
    assert np.abs(np.log(ahead[:, 0] / 0.005)).mean() < 0.2


def test_last_call_corrects_only_the_next_hours() -> None:
    short = np.zeros(DAYS * DAY_MINUTES, np.float32)
    short[7::95] = 1
    tables = np.stack([short, 1 - short, np.ones_like(short)], axis=1).reshape(DAYS, DAY_MINUTES, 3)[::-1]
    daily = np.tile(np.array([1 / 95, 94 / 95], np.float32), (DAY_MINUTES, 1))
    ahead = since_last_time(daily, tables, np.arange(DAY_MINUTES), KEEP_ALIVE)
    assert ahead[:360, 0].max() > 4 / 95
    assert np.allclose(ahead[360:], daily[360:])


def days(active: str) -> np.ndarray:
    """Newest day first: x is a day with calls, . a day without, ? an unknown day."""
    rows = [np.full(DAY_MINUTES, {"x": 1.0, ".": 0.0, "?": np.nan}[day]) for day in active]
    return np.stack(rows)


@pytest.mark.parametrize(
    ("active", "least", "most"),
    [
        ("xxxxxxxxxxxxxxx", 1.0, 1.0),
        # A day off is nothing; four in a row of a function that is called every day are the end of it.
        (".xxxxxxxxxxxxxx", 0.8, 1.0),
        ("....xxxxxxxxxxx", RETURNS_A_DAY, 2 * RETURNS_A_DAY),
        (".......xxxxxxxx", RETURNS_A_DAY, 1.1 * RETURNS_A_DAY),
        # After a weekend, and six days after a weekly call.
        ("..xxxxx..xxxxx.", 0.8, 1.0),
        ("......x......x.", 0.8, 1.0),
        # A gap in the metrics is not silence.
        ("????xxxxxxxxxxx", 1.0, 1.0),
        ("...............", 0.0, 0.0),
    ],
)
def test_long_silence_lowers_the_chance_of_another_call(active: str, least: float, most: float) -> None:
    """The chance falls with the days of silence, compared with the function's own habits."""
    assert least <= chance_alive(days(active)) <= most


def test_one_silent_day_of_two_leaves_the_end_open() -> None:
    assert 0.5 < chance_alive(days(".x")) < 1 - ENDS_A_DAY


@pytest.mark.parametrize("silent_days", [4, 5, 7])
def test_function_silent_for_four_days_is_not_kept_warm(silent_days: int) -> None:
    calls = np.zeros(DAYS * DAY_MINUTES)
    calls.reshape(DAYS, DAY_MINUTES)[:, 480:490] = 60
    # The plan begins at midnight, eight hours before the call would come.
    calls[-silent_days * DAY_MINUTES :] = 0
    calls[: DAY_MINUTES // 2] = 0
    made = plan_warmups(WarmupRequest(datetime(2026, 3, 10, tzinfo=UTC), 24, "UTC", 2000.0, KEEP_ALIVE, 60.0, calls))
    assert made.pings == ()
