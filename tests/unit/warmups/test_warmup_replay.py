"""Warm environments minute by minute, the cost of pings, and the judgement on them."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, strategies as st
from optimizer.core.ping import Ping
from optimizer.warmups.observe import Calls, judge
from optimizer.warmups.plan_value import pings_usd
from optimizer.warmups.replay import replay, replay_past_days

COUNTS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@given(COUNTS, COUNTS, st.integers(1, 12))
def test_environments_stay_warm_for_the_keep_alive_time(need: list[int], pinged: list[int], keep_alive: int) -> None:
    pings = [(minute, count) for minute, count in enumerate(pinged) if count]
    found = replay(np.array(need, float), pings, keep_alive)
    used_at: list[int] = []
    for minute, wanted in enumerate(need):
        ping = pinged[minute] if minute < len(pinged) else 0
        kept = max([used_at[m] for m in range(max(0, minute - keep_alive), minute)], default=0)
        # A ping of this minute may come after its calls.
        assert found.cold[minute] == max(wanted - kept, 0)
        assert found.idle[minute] == max(kept - wanted, 0)
        assert found.cold_pings[minute] == max(ping - kept, 0)
        used_at.append(max(wanted, ping))


@given(COUNTS, COUNTS, st.integers(1, 12))
def test_pings_never_make_more_cold_starts(need: list[int], pinged: list[int], keep_alive: int) -> None:
    without = replay(np.array(need, float), (), keep_alive)
    warmed = replay(np.array(need, float), list(enumerate(pinged)), keep_alive)
    assert (warmed.cold <= without.cold).all()


def test_pings_of_a_daily_rise_avoid_it_on_past_days() -> None:
    start = 29_000_000 // 1440 * 1440
    need = np.where(np.arange(10 * 1440) % 1440 == 480, 3.0, 0.0)
    tomorrow = start + 10 * 1440
    days = replay_past_days(need, start, ((tomorrow + 475, 3),), ZoneInfo("UTC"), 1440, 10)
    assert days.days >= 8
    assert days.cold_without[0] == 3
    assert days.cold_with[0] == 0
    assert days.cold_pings[0] == 3


def test_a_ping_costs_its_schedule_its_calls_and_their_init() -> None:
    common: dict[str, Any] = {"architecture": "x86_64", "memory_mb": 1024, "hold_ms": 200}
    warm = pings_usd(**common, schedules=1, calls=10, cold_calls=0, init_ms=1000)
    cold = pings_usd(**common, schedules=1, calls=10, cold_calls=10, init_ms=1000)
    # 10 calls of 200 ms at 1 GB, the requests, the schedule and 1.2 s of 256 MB on arm64.
    by_hand = 10 * (0.2 * 1.66667e-5 + 2e-7) + 1e-6 + 1.2 * 0.25 * 1.33334e-5 + 2e-7
    assert warm == pytest.approx(by_hand, rel=1e-6)
    assert cold - warm == pytest.approx(10 * 1.66667e-5 + 0.25 * 1.33334e-5, rel=1e-6)


def ping(minute: int, **different: Any) -> Ping:
    values = {"asked": 2, "environments": 2, "cold": 1, "calls": 2, "failed": 0, "busy_ms": 400, "error": ""}
    return Ping(change_id="c", minute=minute, at_minute=minute, **(values | different))


@pytest.mark.parametrize(
    ("due", "pings", "calls", "before", "problem"),
    [
        (range(20), [ping(m) for m in range(20)], Calls(500, 1), 0.002, ""),
        (range(20), [ping(m) for m in range(19)], Calls(500, 1), 0.002, ""),
        (range(20), [ping(m) for m in range(17)], Calls(500, 1), 0.002, "3 of 20 pings did not arrive"),
        (range(1), [], Calls(500, 1), 0.002, "1 of 1 pings did not arrive"),
        (range(0), [], Calls(None, None), None, ""),
        (range(2), [ping(m, failed=1, error="boom") for m in range(2)], Calls(None, None), None, "boom"),
        (range(2), [ping(m, asked=9, environments=2) for m in range(2)], Calls(None, None), None, "do not overlap"),
        (range(1), [ping(0)], Calls(1000, 20), 0.001, "failed 20 times"),
        (range(1), [ping(0)], Calls(1000, 20), 0.02, ""),
        (range(1), [ping(0)], Calls(1000, 20), None, ""),
    ],
)
def test_pings_are_healthy_if_they_arrive_and_do_no_harm(
    due: Any, pings: list[Ping], calls: Calls, before: float | None, problem: str
) -> None:
    """Healthy pings arrive, meet their environments, and do not make the function fail."""
    health = judge(list(due), pings, calls, before)
    assert problem in health.problem
    assert bool(health.problem) == bool(problem)
