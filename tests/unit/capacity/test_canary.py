import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from optimizer.capacity.canary import CanaryComparison, LookKind, judge, more_often
from optimizer.capacity.duration_ratios import Minute, Side, mean_ratio
from optimizer.capacity.usual_steps import UsualSteps

MINUTES = 360


def side(
    rng: random.Random, calls_a_minute: float, mean_ms: float, *, errors: float = 0.0, spread: float = 0.5
) -> Side:
    """Log-normal durations at calls that come and go with the hour."""
    minutes, durations = [], []
    for minute in range(MINUTES):
        rate = calls_a_minute * (1 + 0.8 * math.sin(minute / 60))
        calls = max(0, round(rng.gauss(rate, math.sqrt(max(rate, 0.01)))))
        hour = 1 + 0.3 * math.sin(minute / 90)
        own = [mean_ms * hour * rng.lognormvariate(-spread * spread / 2, spread) for _ in range(calls)]
        durations += own
        minutes.append(Minute(calls, sum(own) / calls if calls else 0.0))
    durations.sort()
    quantiles = [durations[int(q * (len(durations) - 1))] if durations else None for q in (0.9, 0.95, 0.99)]
    bad = sum(rng.random() < errors for _ in durations)
    return Side(tuple(minutes), bad, 0.0, *quantiles)


def compare(old: Side, new: Side) -> CanaryComparison:
    return CanaryComparison(old, new, max_slowdown=1.1, expected_ratio=1 / 9)


def verdicts(trials: int, slower: float, errors: float = 0.0, calls: float = 30.0) -> float:
    """The share of the trials in which the change is kept."""
    kept = 0
    for seed in range(trials):
        rng = random.Random(seed)
        old, new = side(rng, calls, 50.0), side(rng, calls / 9, 50.0 * slower, errors=errors)
        kept += judge(compare(old, new), 3, LookKind.FINAL).healthy
    return kept / trials


def test_change_without_effect_is_rarely_rolled_back() -> None:
    """At most two percent of the changes without any effect are rolled back."""
    assert verdicts(150, slower=1.0) >= 0.98


@pytest.mark.parametrize(("slower", "errors"), [(1.25, 0.0), (1.0, 0.05)])
def test_clearly_worse_change_is_rolled_back(slower: float, errors: float) -> None:
    assert verdicts(30, slower, errors) == 0.0


def test_ratio_ignores_what_both_versions_share() -> None:
    rng = random.Random(1)
    old, new = side(rng, 90, 50.0, spread=0.05), side(rng, 10, 50.0, spread=0.05)
    ratio = mean_ratio(old, new)
    assert ratio is not None
    assert abs(ratio.value) < 3 * ratio.error
    assert ratio.error < 0.01


@pytest.mark.parametrize(
    ("old_calls", "look", "healthy"),
    [
        (1000, LookKind.EARLY, False),
        (10, LookKind.EARLY, True),
        (10, LookKind.DUE, True),
        (10, LookKind.FINAL, False),
        (0, LookKind.FINAL, False),
    ],
)
def test_no_data_is_unhealthy_once_some_was_due(old_calls: int, look: LookKind, healthy: bool) -> None:
    comparison = compare(Side((Minute(old_calls, 50.0),)), Side((Minute(0, 0.0),)))
    assert judge(comparison, 3, look).healthy is healthy


@pytest.mark.parametrize(("look", "healthy"), [(LookKind.EARLY, True), (LookKind.DUE, True), (LookKind.FINAL, False)])
def test_too_few_calls_prolong_the_observation(look: LookKind, healthy: bool) -> None:
    """Too few calls to judge prolong the observation; at the last look the change is rolled back."""
    old = Side(tuple(Minute(1, 50.0 + 20 * (n % 3)) for n in range(6)))
    new = Side(tuple(Minute(1, 90.0 - 20 * (n % 3)) for n in range(6)))
    health = judge(compare(old, new), 3, look)
    assert health.healthy is healthy
    assert not health.enough
    assert "too few" in health.reason


def test_worse_95th_percentile_is_rolled_back() -> None:
    """A change with a worse 95th percentile is rolled back even where the mean is no worse."""
    side = Side(tuple(Minute(100, 50.0 + n % 2) for n in range(60)), 0, 0, 80.0, 100.0, 140.0)
    worse = replace(side, p90_ms=120.0, p95_ms=150.0, p99_ms=200.0)
    assert not judge(compare(side, worse), 3, LookKind.EARLY).healthy


@pytest.mark.parametrize(
    ("promised", "old_ms", "healthy"), [(120.0, 100.0, True), (101.0, 100.0, False), (90.0, 110.0, True)]
)
def test_promised_latency_counts_unless_missed_before(promised: float, old_ms: float, healthy: bool) -> None:
    """The promised 95th percentile must hold, unless it was missed by more before the change."""
    old = Side(tuple(Minute(1000, 50.0 + n % 2) for n in range(60)), 0, 0, 0.8 * old_ms, old_ms, 1.4 * old_ms)
    new = replace(old, p90_ms=82.0, p95_ms=102.0, p99_ms=142.0)
    comparison = replace(compare(old, new), max_p95_ms=promised)
    assert judge(comparison, 3, LookKind.FINAL).healthy is healthy


def test_new_throttles_are_rolled_back() -> None:
    calm = Side(tuple(Minute(100, 50.0 + n % 2) for n in range(60)))
    health = judge(compare(calm, replace(calm, throttles=60)), 3, LookKind.EARLY)
    assert not health.healthy
    assert "throttled" in health.reason


@pytest.mark.parametrize(
    ("bad_new", "new", "bad_old", "old", "chance"),
    [(0, 10, 5, 10, 1.0), (1, 10, 0, 10, 0.5), (2, 2, 0, 2, 1 / 6), (3, 10, 0, 90, 120 / 161700)],
)
def test_error_chance_follows_fishers_exact_test(bad_new: int, new: int, bad_old: int, old: int, chance: float) -> None:
    assert more_often(bad_new, new, bad_old, old) == pytest.approx(chance)


@given(*[st.integers(0, 200)] * 4)
def test_error_chance_stays_between_zero_and_one(bad_new: int, new: int, bad_old: int, old: int) -> None:
    assert 0.0 <= more_often(bad_new, new, bad_old, old) <= 1.0


@pytest.mark.parametrize(
    ("together", "look", "healthy"),
    [
        (True, LookKind.EARLY, False),
        (True, LookKind.FINAL, False),
        # On another day there may have been no calls to make.
        (False, LookKind.EARLY, True),
        (False, LookKind.FINAL, False),
    ],
)
def test_side_without_calls_ends_unhealthy(together: bool, look: LookKind, healthy: bool) -> None:
    silent = Side(tuple(Minute(0, 0.0) for _ in range(MINUTES)), 0.0, 0.0, None, None, None)
    usual = None if together else UsualSteps()
    comparison = replace(compare(side(random.Random(1), 30, 50.0), silent), usual=usual)
    judged = judge(comparison, 3, look)
    assert judged.healthy is healthy
    assert not judged.enough
