"""Warm-up plans for functions with known habits."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.traffic.history import Series
from optimizer.warmups.plan import WarmupPlan, WarmupRequest, plan_warmups
from optimizer.warmups.plan_value import pings_usd
from optimizer.warmups.simulation.play import arrivals, calls_by_day, play

from tests.helpers.examples import examples
from tests.helpers.rates import ARM_PINGS

DAY = 1440
KEEP_ALIVE = 10
START = datetime(2026, 3, 10, tzinfo=UTC)


def asked(minutes: np.ndarray, **changes: Any) -> WarmupPlan:
    facts: dict[str, Any] = {
        "start": START,
        "hours_ahead": 24,
        "time_zone": "UTC",
        "duration_ms": 600.0,
        "init_ms": 500.0,
        "memory_mb": 512,
        "rates": ARM_PINGS,
        "keep_alive_minutes": KEEP_ALIVE,
        "usd_per_cold_start": 3e-4,
        "minutes": minutes,
    }
    return plan_warmups(WarmupRequest(**(facts | changes)))


def daily(days: int, calls: dict[int, float]) -> np.ndarray:
    """Return days with the given numbers of calls at the given minutes of the day."""
    day = np.zeros(DAY)
    for minute, count in calls.items():
        day[minute] = count
    return np.tile(day, days)


def warm_at(made: WarmupPlan, minute: int) -> int:
    return max((n for at, n in made.pings if at < minute <= at + KEEP_ALIVE), default=0)


def test_daily_call_finds_its_environment_warm() -> None:
    made = asked(daily(14, {540: 1}))
    assert warm_at(made, 540) == 1
    # A ping or two for a schedule that may move to the hours beside.
    assert len(made.pings) <= 3


def test_as_many_environments_are_warmed_as_the_burst_needs() -> None:
    # 600 calls of 0.6 s in a minute are a load of 6; at their peak, 10 to 18 of them are in progress.
    made = asked(daily(14, {540: 600}))
    assert 10 <= warm_at(made, 540) <= 18


def test_cheap_cold_start_is_not_avoided() -> None:
    made = asked(daily(14, {540: 1}), usd_per_cold_start=1e-7)
    assert made.pings == ()
    assert "worth" in made.reason


def test_no_function_is_warmed_beyond_its_limit() -> None:
    made = asked(daily(14, {540: 600}), max_environments=3)
    assert warm_at(made, 540) == 3


def test_limit_of_zero_environments_plans_none() -> None:
    assert asked(daily(14, {540: 600}), max_environments=0).pings == ()


def test_a_function_that_was_never_called_gets_nothing() -> None:
    made = asked(np.zeros(14 * DAY))
    assert made.pings == ()
    assert "not called" in made.reason


def test_function_that_ended_gets_no_pings() -> None:
    calls = daily(14, {540: 5, 900: 5})
    calls[7 * DAY :] = 0
    made = asked(calls)
    assert made.pings == ()


def test_less_than_a_day_is_too_little_to_tell() -> None:
    made = asked(np.ones(600))
    assert made.pings == ()
    assert "too little" in made.reason


def test_a_new_function_is_planned_from_the_days_it_has() -> None:
    made = asked(daily(3, {540: 1}))
    assert warm_at(made, 540) == 1


def test_plan_follows_traffic_that_doubled_overnight() -> None:
    calls = daily(14, dict.fromkeys(range(480, 600), 100))
    calls[12 * DAY :] *= 2
    before, after = asked(calls[: 12 * DAY]), asked(calls)
    assert warm_at(after, 480) > warm_at(before, 480)


def test_one_call_a_week_at_any_minute_is_not_worth_warming() -> None:
    calls = np.zeros(14 * DAY)
    calls[[3 * DAY + 200, 10 * DAY + 700]] = 1
    assert asked(calls).pings == ()


def test_a_busy_function_keeps_itself_warm() -> None:
    made = asked(np.full(14 * DAY, 10.0), duration_ms=0.001)
    assert made.pings == ()
    assert "its own traffic" in made.reason


def test_unknown_minutes_are_not_silence() -> None:
    calls = daily(14, {540: 1})
    calls[5 * DAY : 9 * DAY] = np.nan
    assert warm_at(asked(calls), 540) == 1


@pytest.mark.parametrize(
    ("start", "hour_utc"),
    [
        # Berlin: clocks go forward on 29 March 2026, back on 25 October 2026; nine o'clock is eight, then seven UTC.
        (datetime(2026, 3, 28, 23, tzinfo=UTC), 7),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), 8),
    ],
)
def test_plan_keeps_local_time_when_clocks_change(start: datetime, hour_utc: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    calls = np.zeros(14 * DAY)
    for index in range(len(calls)):
        local = (start - timedelta(minutes=len(calls) - index)).astimezone(zone)
        calls[index] = (local.hour, local.minute) == (9, 0)
    made = asked(calls, start=start, time_zone="Europe/Berlin", hours_ahead=23)
    nine = int((start.replace(hour=0) + timedelta(days=1, hours=hour_utc) - start).total_seconds() // 60)
    assert warm_at(made, nine) == 1
    # An hour beside it, where the same time of UTC would be, nobody holds it for long.
    assert len(made.pings) <= 3


@settings(max_examples=examples(30), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.floats(0.001, 20),
    worth=st.floats(0, 0.1),
    keep_alive=st.integers(1, 60),
    hours=st.integers(1, 24),
)
def test_plan_stays_in_its_hours_and_its_sums_add_up(
    seed: int, rate: float, worth: float, keep_alive: int, hours: int
) -> None:
    """For any traffic, pings lie in the hours ahead and the expected numbers are consistent."""
    calls = np.random.default_rng(seed).poisson(rate, 4 * DAY).astype(float)
    made = asked(calls, usd_per_cold_start=worth, keep_alive_minutes=keep_alive, hours_ahead=hours)
    assert all(0 <= minute < hours * 60 and count >= 1 for minute, count in made.pings)
    assert 0 <= made.expected_cold_starts <= made.expected_cold_starts_unwarmed + 1e-6
    assert made.expected_net_usd <= worth * (made.expected_cold_starts_unwarmed - made.expected_cold_starts) + 1e-6


def test_plan_pays_on_a_day_like_the_past_ones() -> None:
    random = np.random.default_rng(7)
    rate = 2 + 2 * np.sin(np.arange(15 * DAY) / DAY * 2 * np.pi)
    calls = random.poisson(rate * (random.random(15 * DAY) < 0.2)).astype(float)
    made = asked(calls[: 14 * DAY])
    day = np.minimum(calls[14 * DAY :], 1)
    values = {"invocations": day, "duration_ms": 100 * day, "concurrency": np.full(DAY, np.nan)}
    at = arrivals("a day", DAY)
    without, warmed = (
        play(
            calls_by_day(Series(0, values), "a day"),
            [(float(at[minute]), count) for minute, count in pings],
            init_s=0.5,
            keep_alive_s=KEEP_ALIVE * 60,
            end_s=DAY * 60,
        )
        for pings in ((), made.pings)
    )
    assert 3e-4 * (len(without.cold_at) - len(warmed.cold_at)) > pings_usd(
        rates=ARM_PINGS,
        memory_mb=512,
        schedules=len(made.pings),
        calls=sum(count for _, count in made.pings),
        cold_calls=float(sum(warmed.started)),
        hold_ms=200,
        init_ms=500,
    )
