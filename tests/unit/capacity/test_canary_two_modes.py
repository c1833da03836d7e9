"""Canaries of functions of which a few calls are many times slower than the others."""

import math

import numpy as np
import pytest
from optimizer.capacity.canary import CanaryComparison, LookKind, judge
from optimizer.capacity.duration_ratios import Minute, Side, p95_ratio

_MINUTES = 360
_FAST_MS, _SLOW_MS = 10.0, 1000.0


def side(rng: np.random.Generator, calls_a_minute: int, slow_share: float, slower: float = 1.0) -> Side:
    """Return the calls of six hours: fast and slow ones, each varying by a few percent."""
    shape = (_MINUTES, calls_a_minute)
    level = np.where(rng.random(shape) < slow_share, _SLOW_MS, _FAST_MS)
    ms = slower * level * np.exp(rng.normal(0, 0.05, shape))
    p90, p95, p99 = np.quantile(ms, (0.9, 0.95, 0.99), method="inverted_cdf").tolist()
    minutes = [Minute(calls_a_minute, float(mean)) for mean in ms.mean(axis=1)]
    return Side(minutes, p90_ms=p90, p95_ms=p95, p99_ms=p99)


def alarms(
    calls_a_minute: int,
    shares: tuple[float, float] = (0.05, 0.05),
    slower: float = 1.0,
    *,
    trials: int,
    max_p95_ms: float | None = None,
) -> float:
    """Return the share of the canaries that are found slower; those of too few calls to tell are none of them."""
    rng, found = np.random.default_rng(20261201), 0
    for _ in range(trials):
        old, new = side(rng, 9 * calls_a_minute, shares[0]), side(rng, calls_a_minute, shares[1], slower)
        health = judge(CanaryComparison(old, new, 1.1, 1 / 9, max_p95_ms=max_p95_ms), 4, LookKind.FINAL)
        found += not health.healthy and "too few" not in health.reason
    return found / trials


def test_p95_between_two_modes_jumps_by_chance() -> None:
    """Of the same function, the percentile alone is a hundred times larger in some windows."""
    rng = np.random.default_rng(1)
    jumps = [math.log(side(rng, 20, 0.05).p95_ms / side(rng, 180, 0.05).p95_ms) for _ in range(60)]  # type: ignore[operator]
    assert max(jumps) > 4
    assert min(jumps) < -4


@pytest.mark.parametrize("share", [0.045, 0.05, 0.055])
@pytest.mark.parametrize("calls_a_minute", [20, 60])
def test_change_without_effect_is_kept_where_one_call_in_twenty_is_slow(share: float, calls_a_minute: int) -> None:
    assert alarms(calls_a_minute, (share, share), trials=100) <= 0.02


def test_promise_is_not_broken_by_a_jump_between_two_modes() -> None:
    """A promise between the two modes is kept and missed by chance, with the change and without."""
    assert alarms(60, trials=100, max_p95_ms=100.0) <= 0.02


def test_slowdown_is_found_where_one_call_in_twenty_is_slow() -> None:
    assert alarms(60, slower=1.3, trials=60) >= 0.9


def test_more_slow_calls_are_found_by_the_mean() -> None:
    assert alarms(60, (0.03, 0.07), trials=60) >= 0.9


def test_slower_95th_percentile_with_its_neighbours_counts() -> None:
    old = Side([Minute(100, 20.0)] * 30, p90_ms=30.0, p95_ms=40.0, p99_ms=60.0)
    new = Side([Minute(100, 20.0)] * 30, p90_ms=36.0, p95_ms=52.0, p99_ms=90.0)
    ratio = p95_ratio(old, new)
    assert ratio is not None
    assert math.exp(ratio.value) == pytest.approx(1.3)
