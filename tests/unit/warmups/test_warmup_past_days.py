"""Pings on past days, the cost of pings, and the judgement on them."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from optimizer.core.ping import Ping
from optimizer.traffic.history import Series
from optimizer.warmups.observe import Calls, judge
from optimizer.warmups.plan_value import pings_usd
from optimizer.warmups.simulation.past_days import PlayedFunction, play_past_days

from tests.helpers.rates import X86_PINGS


def test_pings_of_a_daily_rise_avoid_it_on_past_days() -> None:
    start = 29_000_000 // 1440 * 1440
    minute_of_day = np.arange(10 * 1440) % 1440
    values = {
        "invocations": np.where(minute_of_day == 480, 3.0, 0.0),
        "duration_ms": np.where(minute_of_day == 480, 500.0, np.nan),
        "concurrency": np.where(minute_of_day == 480, 3.0, np.nan),
    }
    tomorrow = start + 10 * 1440
    orders = PlayedFunction("orders", ZoneInfo("UTC"), 500, 10)
    pings = ((tomorrow + 475, 3),)
    days = play_past_days(Series(start, values), pings, orders, 1440)
    assert days.days >= 8
    assert set(days.cold_without.tolist()) == {3}
    assert set(days.cold_with.tolist()) == {0}
    assert set(days.cold_pings.tolist()) == {3}
    assert days.idle_minutes.mean() == pytest.approx(3 * 5, abs=2)
    # Provisioned environments leave nothing to do.
    provisioned = PlayedFunction("orders", ZoneInfo("UTC"), 500, 10, np.full(1440, 3, np.int64))
    days = play_past_days(Series(start, values), pings, provisioned, 1440)
    assert days.cold_without.sum() == days.cold_pings.sum() == 0


def test_a_ping_costs_its_schedule_its_calls_and_their_init() -> None:
    common: dict[str, Any] = {"rates": X86_PINGS, "memory_mb": 1024, "hold_ms": 200}
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
