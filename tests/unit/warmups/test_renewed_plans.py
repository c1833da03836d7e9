"""Plans that are renewed every hour: they count the pings before them, and follow a new level of calls."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.policy import Warmups
from optimizer.traffic import DAY_MINUTES, Series
from optimizer.traffic.forecast import ColdStartForecast, Lives
from optimizer.traffic.forecast.demand import Levels
from optimizer.warmups import Subject, planned_warmups
from optimizer.warmups.ping_plan import PingPrices, plan_pings
from optimizer_cli.json_lines import UnusableRequest
from optimizer_cli.planners.warmups import Successive, answer

from tests.helpers.examples import examples
from tests.helpers.rates import X86_PINGS

KEEP_ALIVE = 10
START = 29_000_160
PRICES = PingPrices(ping_usd=2.0, environment_usd=0.5, init_usd=1.0)


def needed(*minutes: int) -> ColdStartForecast:
    """Return the forecast that two environments are needed in each of these minutes."""
    cold = np.zeros((120, 2))
    cold[list(minutes)] = 0.9
    return ColdStartForecast(Levels.up_to(2), cold, np.zeros(cold.shape), np.zeros(120))


TEN = Lives.of_minutes(KEEP_ALIVE)


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(1, 12), st.integers(0, 20))
def test_what_an_earlier_ping_holds_is_not_pinged_again(ago: int, minute: int) -> None:
    made = plan_pings(needed(minute), PRICES, 99.0, TEN, 2, sent=((-ago, 2),))
    # In the minute of its death, and in minute 0, a ping of this plan may come too late.
    assert bool(made.pings) == (ago + minute >= KEEP_ALIVE and minute > 0)


def test_environments_that_an_earlier_ping_left_out_are_pinged() -> None:
    made = plan_pings(needed(5), PRICES, 99.0, TEN, 2, sent=((-3, 1),))
    assert [count for _, count in made.pings] == [2]
    fresh = plan_pings(needed(5), PRICES, 99.0, TEN, 2)
    # One environment instead of two is started, and avoids one cold start instead of two.
    assert made.avoided_cold_starts == pytest.approx(fresh.avoided_cold_starts / 2)


def test_pings_of_the_day_before_hold_nothing() -> None:
    old = plan_pings(needed(5, 70), PRICES, 99.0, TEN, 2, sent=((-900, 2),))
    assert old == plan_pings(needed(5, 70), PRICES, 99.0, TEN, 2)


def subject(calls: np.ndarray) -> Subject:
    values = {
        "invocations": calls,
        "duration_ms": np.where(calls > 0, 1500.0, np.nan),
        "concurrency": np.full(len(calls), np.nan),
    }
    return Subject("orders", Series(START, values), "UTC", 1024, X86_PINGS, 800.0)


def held(calls: np.ndarray, hours: int, first: int, end: int) -> np.ndarray:
    """Return the environments that pings hold in each minute from `first` to `end`, with plans every so many hours."""
    starts = range(first, end, hours * 60)
    policy = Warmups(usd_per_cold_start=5e-4, idle_minutes_per_cold_start=None)
    plans = planned_warmups(subject(calls[:end]), policy, starts)
    result = np.zeros(end)
    for minute, environments in plans.pings:
        span = slice(minute + 1, minute + KEEP_ALIVE)
        result[span] = np.maximum(result[span], environments)
    return result[first:]


def test_hourly_plans_ping_no_more_often_than_one_plan() -> None:
    calls = np.random.default_rng(2).poisson(0.3, 10 * DAY_MINUTES).astype(float)
    first = 9 * DAY_MINUTES
    policy = Warmups(usd_per_cold_start=5e-4, idle_minutes_per_cold_start=None)
    minutes = {
        hours: [at for at, _ in planned_warmups(subject(calls), policy, range(first, len(calls), hours * 60)).pings]
        for hours in (1, 6)
    }
    assert len(minutes[1]) == pytest.approx(len(minutes[6]), rel=0.05)
    assert min(np.diff(minutes[1])) >= KEEP_ALIVE - 2


@settings(max_examples=examples(6), deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 2), st.floats(5, 10), st.integers(0, 5))
def test_a_surprise_raises_the_next_hourly_plan(seed: int, rate: float, factor: float, hour: int) -> None:
    """Calls that come five times as often need a second environment, which hourly plans hold two hours later."""
    mean = np.full(14 * DAY_MINUTES, rate)
    surprise = 13 * DAY_MINUTES + 60 * hour + 20
    mean[surprise:] *= factor
    calls = np.random.default_rng(seed).poisson(mean).astype(float)
    first = 13 * DAY_MINUTES + 60 * hour
    hourly = held(calls, 1, first, surprise + 240)
    before = held(calls, 1, first - 120, first)
    assert hourly[-120:].mean() >= before[-60:].mean() + 0.8


def request(minutes: np.ndarray, **changes: Any) -> dict[str, Any]:
    return {
        "series": "orders",
        "from": "2026-03-10T00:00:00Z",
        "hours_ahead": 1,
        "duration_ms": 600.0,
        "init_ms": 500.0,
        "memory_mb": 512,
        "keep_alive_minutes": KEEP_ALIVE,
        "usd_per_cold_start": 3e-4,
        "minutes": minutes.tolist(),
        **changes,
    }


CALLS = np.random.default_rng(3).poisson(0.3, 5 * DAY_MINUTES + 120).astype(float)


def test_successive_requests_count_the_pings_of_the_answer_before() -> None:
    asked = Successive()
    first = asked.answer(request(CALLS[:-120]))
    second = asked.answer(request(CALLS[:-60], **{"from": "2026-03-10T01:00:00Z"}))
    assert all(minute < 60 for minute, _ in first["pings"])
    assert 60 + second["pings"][0][0] - first["pings"][-1][0] >= KEEP_ALIVE - 2
    sent = [[minute - 60, count] for minute, count in first["pings"]]
    assert second == answer(request(CALLS[:-60], **{"from": "2026-03-10T01:00:00Z", "sent": sent}))


@pytest.mark.parametrize(
    "changes",
    [{"from": "2026-03-10T02:00:00Z"}, {"from": "2026-03-10T01:00:00Z", "series": "other"}],
    ids=["later", "other series"],
)
def test_requests_that_do_not_follow_one_another_are_planned_alone(changes: dict[str, Any]) -> None:
    asked = Successive()
    asked.answer(request(CALLS[:-120]))
    later = request(CALLS[:-60], **changes)
    assert asked.answer(later) == answer(later)


def test_one_hour_is_planned_with_those_that_follow_it() -> None:
    """A ping at the end of the hour is sent for what comes after it."""
    day = np.zeros(DAY_MINUTES)
    day[62] = 1
    made = answer(request(np.tile(day, 14)))
    assert any(50 <= minute < 60 for minute, _ in made["pings"])
    assert all(minute < 60 for minute, _ in made["pings"])
    assert made["hours_planned"] == 6


@pytest.mark.parametrize("sent", [[[0, 1]], [[-1, 0]], [[1]], 3, ["ab"]])
def test_unusable_sent_pings_are_refused(sent: Any) -> None:
    with pytest.raises(UnusableRequest, match="sent"):
        answer(request(CALLS, sent=sent))
