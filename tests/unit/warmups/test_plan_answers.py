"""`optimizer plan warmups`: pings, provisioned concurrency by the hour, or nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer_cli.planners.warmups import answer

from tests.helpers.examples import examples

DAY = 1440


def request(minutes: np.ndarray, **changes: Any) -> dict[str, Any]:
    return {
        "from": "2026-03-10T00:00:00Z",
        "hours_ahead": 24,
        "duration_ms": 600.0,
        "init_ms": 500.0,
        "memory_mb": 512,
        "architecture": "arm64",
        "keep_alive_minutes": 10,
        "usd_per_cold_start": 3e-4,
        "minutes": minutes.tolist(),
        **changes,
    }


def burst(calls: float = 600.0) -> np.ndarray:
    day = np.zeros(DAY)
    day[540] = calls
    return np.tile(day, 14)


def test_provisioned_concurrency_replaces_forbidden_pings() -> None:
    """Provisioned concurrency holds the same environments that pings would, where they are worth an hour of it."""
    made = answer(request(burst(), may_ping=False, usd_per_cold_start=0.02))
    assert made["pings"] == ()
    assert max(count for first, end, count in made["provisioned"] if first <= 540 < end) >= 10
    assert set(made["ways"]) == {"provisioned"}
    assert made["expected_cold_starts"] < made["expected_cold_starts_unwarmed"]


def test_pings_are_taken_where_they_cost_less() -> None:
    made = answer(request(burst(), usd_per_cold_start=0.02))
    assert made["pings"]
    assert made["provisioned"] == ()
    assert made["ways"]["pings"] > made["ways"]["provisioned"] > 0


def test_nothing_is_planned_where_neither_way_is_worth_it() -> None:
    """A cold start a day is worth no hour of provisioned concurrency."""
    made = answer(request(burst(1.0), may_ping=False))
    assert (made["pings"], made["provisioned"]) == ((), ())
    assert "worth" in made["reason"]
    assert made["expected_net_usd"] == 0


def test_nothing_is_planned_if_neither_way_is_allowed() -> None:
    made = answer(request(burst(), may_ping=False, may_provision=False))
    assert (made["pings"], made["provisioned"]) == ((), ())
    assert "neither" in made["reason"]


def test_a_busy_function_is_held_for_its_discount() -> None:
    """Environments that are busy nine tenths of the time cost less than on demand."""
    random = np.random.default_rng(3)
    calls = random.poisson(150, 14 * DAY).astype(float)
    made = answer(request(calls, duration_ms=1500.0, usd_per_cold_start=0.001))
    assert made["provisioned"]
    assert made["ways"]["provisioned and pings"] >= made["ways"]["provisioned"]


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 30), st.floats(10, 5000), st.floats(0, 0.01), st.booleans())
def test_the_plan_is_the_best_of_its_ways(
    seed: int, rate: float, duration_ms: float, worth: float, may_ping: bool
) -> None:
    calls = np.random.default_rng(seed).poisson(rate, 3 * DAY).astype(float)
    made = answer(request(calls, duration_ms=duration_ms, usd_per_cold_start=worth, may_ping=may_ping))
    gained = worth * (made["expected_cold_starts_unwarmed"] - made["expected_cold_starts"]) - made["expected_net_usd"]
    assert gained == pytest.approx(max(0.0, *made["ways"].values()), abs=1e-5)
    assert may_ping or made["pings"] == ()
    assert all(first < end and count >= 1 for first, end, count in made["provisioned"])
