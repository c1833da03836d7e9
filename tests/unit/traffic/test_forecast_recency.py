"""Corrections by the time since the last call: rhythms without a time of day, and functions that have ended."""

from datetime import UTC, datetime

import numpy as np
import pytest
from optimizer.traffic.forecast.recency import (
    ENDS_A_DAY,
    LEAD_MINUTES,
    RETURNS_A_DAY,
    chance_called_again,
    since_last_time,
)
from optimizer.traffic.history import DAY_MINUTES
from optimizer.warmups.plan import WarmupPlan, WarmupRequest, plan_warmups

from tests.helpers.rates import ARM_PINGS

KEEP_ALIVE = 10
DAYS = 15


def planned(calls: np.ndarray, hours_ahead: int = 6) -> WarmupPlan:
    return plan_warmups(
        WarmupRequest(
            start=datetime(2026, 3, 10, tzinfo=UTC),
            hours_ahead=hours_ahead,
            time_zone="UTC",
            duration_ms=500.0,
            init_ms=500.0,
            memory_mb=512,
            rates=ARM_PINGS,
            keep_alive_minutes=KEEP_ALIVE,
            usd_per_cold_start=6e-5,
            minutes=calls,
        )
    )


def is_warm(made: WarmupPlan, minute: int) -> bool:
    return any(at < minute <= at + KEEP_ALIVE for at, _ in made.pings)


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
    happened = (np.random.default_rng(3).random((DAYS * DAY_MINUTES, 1)) < 0.005).astype(float)
    expected, ahead = np.full_like(happened, 0.005), np.full((LEAD_MINUTES, 1), 0.005)
    corrected = since_last_time(ahead, expected, happened)
    assert np.abs(np.log(corrected / 0.005)).mean() < 0.2


def test_last_call_corrects_only_the_next_hours() -> None:
    happened = np.zeros((DAYS * DAY_MINUTES, 1))
    happened[7::95] = 1
    ahead = np.full((DAY_MINUTES, 1), 1 / 95)
    corrected = since_last_time(ahead, np.full_like(happened, 1 / 95), happened)
    assert corrected[:LEAD_MINUTES].max() > 4 / 95
    assert np.allclose(corrected[LEAD_MINUTES:], ahead[LEAD_MINUTES:])


def test_expected_rhythm_is_not_corrected_twice() -> None:
    """Where the time of day already expects each call, the time since the last one adds nothing."""
    happened = np.zeros((DAYS * DAY_MINUTES, 1))
    happened[540::DAY_MINUTES] = 1
    expected = 0.9 * happened + 1e-4
    ahead = expected[:LEAD_MINUTES]
    assert since_last_time(ahead, expected, happened) == pytest.approx(ahead, rel=0.3)


def days(active: str) -> np.ndarray:
    """Newest day first: x is a day with calls, . a day without, ? an unknown day."""
    rows = [np.full(24, {"x": 1.0, ".": 0.0, "?": np.nan}[day]) for day in reversed(active)]
    return np.concatenate(rows)


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
    assert least <= chance_called_again(days(active)) <= most


def test_one_silent_day_of_two_leaves_the_end_open() -> None:
    assert 0.5 < chance_called_again(days(".x")) < 1 - ENDS_A_DAY


@pytest.mark.parametrize("silent_days", [4, 5, 7])
def test_function_silent_for_four_days_is_not_kept_warm(silent_days: int) -> None:
    calls = np.zeros(DAYS * DAY_MINUTES)
    calls.reshape(DAYS, DAY_MINUTES)[:, 480:490] = 60
    # The plan begins at midnight, eight hours before the call would come.
    calls[-silent_days * DAY_MINUTES :] = 0
    calls[: DAY_MINUTES // 2] = 0
    assert planned(calls, hours_ahead=24).pings == ()
