import numpy as np
import pytest
from hypothesis import given, strategies as st
from optimizer.capacity.memory.bounds import break_even, expected, outcome
from optimizer.core.change import Interval

RATIOS = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=50)


@given(RATIOS, st.floats(0.5, 2.0))
def test_kept_outcome_is_within_the_limit(ratios: list[float], limit: float) -> None:
    """The chance of being kept is the share of the curves that are within the limit."""
    end = outcome(np.array(ratios), limit)
    within = [ratio for ratio in ratios if ratio <= limit]
    if end is None:
        assert not within
    else:
        assert end.ratio.estimate <= limit + 1e-9
        assert end.chance_kept == pytest.approx(len(within) / len(ratios))


@pytest.mark.parametrize(("memory_ratio", "even"), [(0.5, 2.0), (2.0, 0.5), (1.0, 1.0)])
def test_half_price_breaks_even_at_twice_the_duration(memory_ratio: float, even: float) -> None:
    assert break_even(lambda ratio: memory_ratio * ratio) == pytest.approx(even, rel=1e-6)


def test_dearer_size_never_breaks_even() -> None:
    assert break_even(lambda _ratio: 1.5) == pytest.approx(0.0, abs=1e-6)


@given(st.floats(-100, 100), st.floats(0, 50), st.floats(0, 1))
def test_expected_effect_counts_a_roll_back(value: float, spread: float, chance: float) -> None:
    interval = expected(Interval(value, value - spread, value + spread), chance)
    assert interval.estimate == pytest.approx(value * chance)
    assert chance >= 0.9 or interval.low <= 0.0 <= interval.high
