"""Provisioned concurrency of the hours ahead, compared with trying all possible amounts."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.capacity.provisioned import READY_MINUTES, ProvisionedAhead, provision_ahead
from optimizer.prices import aws_lambda
from optimizer.traffic.forecast import ColdStartForecast
from optimizer.traffic.forecast.demand import Levels

from tests.helpers.examples import examples
from tests.helpers.rates import X86

HOUR_USD = float(aws_lambda.provisioned_usd(X86, 1024, 1, 3600))


def forecast(cold_by_hour: np.ndarray, in_progress: np.ndarray) -> ColdStartForecast:
    """Spread cold starts evenly over hours; calls in progress are given by the hour."""
    cold = np.repeat(cold_by_hour / 60, 60, axis=0)
    return ColdStartForecast(
        Levels.up_to(cold.shape[1]), cold, np.zeros(cold.shape), np.repeat(np.asarray(in_progress, float), 60)
    )


def provisioned(cold_by_hour: np.ndarray, in_progress: np.ndarray, **changes: Any) -> ProvisionedAhead:
    facts: dict[str, Any] = {
        "first_minute_of_hour": 0,
        "rates": X86,
        "memory_mb": 1024,
        "init_ms": 0.0,
        "usd_per_cold_start": 0.001,
        "most": None,
    }
    return provision_ahead(forecast(cold_by_hour, in_progress), **(facts | changes))


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40)), min_size=1, max_size=4))
def test_no_other_amounts_by_the_hour_gain_more(cold: list[tuple[float, float]]) -> None:
    """Without calls in progress, the gain is that of the best of all amounts."""
    hours = np.array(cold)
    made = provisioned(hours, np.zeros(len(hours)))
    best = 0.0
    for amounts in product(range(3), repeat=len(hours)):
        starts = sum(max(0, now - before) for before, now in zip((0, *amounts), amounts, strict=False))
        avoided = sum(float(row[:count].sum()) for row, count in zip(hours, amounts, strict=True))
        best = max(best, 0.001 * avoided - HOUR_USD * (sum(amounts) + starts * READY_MINUTES / 60))
    assert made.way.gain(0.001) == pytest.approx(best, abs=1e-9)


def test_cold_starts_worth_less_than_an_hour_get_nothing() -> None:
    # An environment of 1 GB costs 0.015 USD an hour.
    assert provisioned(np.array([[14.0], [14.0]]), np.zeros(2)).stretches == ()
    assert provisioned(np.array([[0.0], [16.0], [0.0]]), np.zeros(3)).stretches == ((58, 120, 1),)


def test_busy_environments_cost_less() -> None:
    """Where calls are always in progress, the discount on their duration pays for most of the price."""
    cold = np.array([[0.0, 5.0]] * 3)
    assert provisioned(cold, np.zeros(3)).stretches == ()
    ((first, end, count),) = provisioned(cold, np.full(3, 1.8)).stretches
    assert (first, end, count) == (0, 180, 2)


def test_the_limit_of_environments_is_kept() -> None:
    assert max(n for *_, n in provisioned(np.full((2, 4), 99.0), np.zeros(2)).stretches) == 4
    assert max(n for *_, n in provisioned(np.full((2, 4), 99.0), np.zeros(2), most=3).stretches) == 3


def test_first_hour_may_have_begun() -> None:
    made = provisioned(np.array([[16.0], [16.0]]), np.zeros(2), first_minute_of_hour=30)
    assert made.stretches == ((0, 120, 1),)
