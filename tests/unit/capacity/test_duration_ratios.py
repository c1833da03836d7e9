import math
import random

import pytest
from hypothesis import given, strategies as st
from optimizer.capacity.duration_ratios import (
    LogRatio,
    MedianRatio,
    Minute,
    Side,
    batch_spread,
    median_ratio,
    part_minutes,
    student,
    tail_ratio,
    typical_ratio,
)

DURATIONS = st.lists(st.one_of(st.none(), st.floats(1.0, 1e6)), min_size=0, max_size=60)


def called(values: list[float], calls: float = 1.0) -> Side:
    return Side(tuple(Minute(calls, value, value, value) for value in values))


@pytest.mark.parametrize(("freedom", "quantile"), [(3, 5.841), (5, 4.032), (8, 3.355), (12, 3.055), (math.inf, 2.576)])
def test_student_agrees_with_the_table(freedom: float, quantile: float) -> None:
    """Quantiles at a chance of 0.5 %, as printed in tables of Student's distribution."""
    assert student(2.5758, freedom) == pytest.approx(quantile, rel=0.036)
    assert student(-2.5758, freedom) == pytest.approx(-quantile, rel=0.036)


@given(DURATIONS, st.floats(0.2, 5.0))
def test_median_ratio_finds_a_common_factor(durations: list[float | None], factor: float) -> None:
    new = [duration and duration * factor for duration in durations]
    found = median_ratio(durations, new)
    if sum(duration is not None for duration in durations) < 5:
        assert found is None
    else:
        assert found is not None
        assert found.value == pytest.approx(math.log(factor))
        assert all(log == pytest.approx(math.log(factor)) for log in found.logs)


def test_median_ratio_ignores_what_comes_on_less_than_half_of_the_pairs() -> None:
    """Two of five days 1.5 times as slow, on one side alone, do not move the median."""
    old = [50.0 + n % 3 for n in range(120)]
    new = [value * (1.5 if n // 24 in (1, 2) else 1.0) for n, value in enumerate(old)]
    found = median_ratio(old, new)
    assert found is not None
    assert found.value == pytest.approx(0.0)


def test_interval_of_a_median_lies_between_two_pairs() -> None:
    """Of 100 independent pairs, the 37th and the 64th enclose the median with 99 %."""
    found = MedianRatio(tuple(float(n) for n in range(1, 101)), 1.0)
    assert found.value == 50.5
    assert found.reach(2.576) == 13.5
    assert found.reach(20.0) == math.inf


def test_pairs_that_depend_on_each_other_widen_the_interval() -> None:
    independent, dependent = (
        MedianRatio(tuple(map(float, range(100))), 1.0),
        MedianRatio(tuple(map(float, range(100))), 4.0),
    )
    assert dependent.reach(2.0) == pytest.approx(2 * independent.reach(2.0), abs=1.0)


def test_batches_show_levels_that_last() -> None:
    rng = random.Random(1)
    noise = [rng.gauss(0, 1) for _ in range(2000)]
    levels = [level for level in (rng.gauss(0, 1) for _ in range(200)) for _ in range(10)]
    assert batch_spread(noise) < 2.0
    assert batch_spread(levels) > 5.0
    assert batch_spread([]) == 1.0


@pytest.mark.parametrize(("calls_new", "known"), [(100.0, True), (60.0, True), (40.0, False), (1.0, False)])
def test_medians_of_few_calls_are_not_compared_with_those_of_many(calls_new: float, known: bool) -> None:
    """The median of a few calls is off in one direction, as is that of a canary beside the old version."""
    durations = [50.0 + n % 4 for n in range(30)]
    found = typical_ratio(called(durations, 900.0), called(durations, calls_new))
    assert (found is not None) is known


def test_medians_of_equally_few_calls_are_compared() -> None:
    durations = [50.0 + n % 4 for n in range(30)]
    assert typical_ratio(called(durations), called(durations)) is not None
    assert tail_ratio(called(durations), called([2 * one for one in durations])) is not None


@pytest.mark.parametrize(("window", "part"), [(15, 1), (60, 1), (120, 5), (360, 15), (1440, 60), (4320, 180)])
def test_parts_grow_with_the_window(window: int, part: int) -> None:
    assert part_minutes(window) == part


def test_log_ratio_reaches_further_with_little_freedom() -> None:
    assert LogRatio(0.0, 0.1).reach(2.0) == pytest.approx(0.2)
    assert LogRatio(0.0, 0.1, 3).reach(2.0) > 0.3
