import math
import random

import pytest
from optimizer.capacity.canary import CanaryComparison, LookKind, judge
from optimizer.capacity.duration_ratios import LogRatio, MedianRatio, Minute, Side
from optimizer.capacity.usual_steps import Steps, usual_steps, weeks_between

HOURS = 42 * 24


def hours(rng: random.Random, count: int, level_sd: float, slower: float = 1.0) -> list[Minute]:
    """Hours of a machine with a level for each day."""
    found = []
    for number in range(count):
        if number % 24 == 0:
            level = math.exp(rng.gauss(0, level_sd))
        duration = 80.0 * slower * level * math.exp(rng.gauss(0, 0.01))
        found.append(Minute(100.0, duration, duration, duration * 2))
    return found


@pytest.mark.parametrize(("level_sd", "least", "most"), [(0.0, 0.0, 0.005), (0.2, 0.15, 0.5)])
def test_steps_of_the_past_are_as_large_as_its_levels_move(level_sd: float, least: float, most: float) -> None:
    found = usual_steps(hours(random.Random(1), HOURS, level_sd), 24)
    assert least <= math.sqrt(found.typical.square) <= most
    assert least <= math.sqrt(found.mean.square) <= most
    assert least <= math.sqrt(found.tail.square) <= most
    assert found.typical.count == pytest.approx(35.0)


def test_past_without_calls_shows_no_steps() -> None:
    """What is not known is not taken for calm: the ratio gets the usual drift of functions, with little freedom."""
    found = usual_steps([Minute(0.0, 0.0)] * HOURS, 24)
    assert found.typical == Steps()
    widened = found.typical.widen(LogRatio(0.1, 0.0))
    assert widened is not None
    assert (widened.value, widened.error, widened.freedom) == pytest.approx((0.1, 0.03, 3.0))


def test_steps_never_make_a_ratio_more_certain() -> None:
    widened = Steps(0.0, 100.0).widen(LogRatio(0.1, 0.2))
    assert widened is not None
    assert widened.error == pytest.approx(0.2)


def test_ratio_of_too_few_pairs_stays_unknown() -> None:
    assert Steps().widen(MedianRatio((0.0,) * 5, 1.0)) is None


@pytest.mark.parametrize(("hours_long", "weeks"), [(1, 1), (168, 1), (169, 2), (336, 2)])
def test_windows_are_compared_by_whole_weeks(hours_long: int, weeks: int) -> None:
    assert weeks_between(hours_long) == weeks


@pytest.mark.parametrize(
    ("level_sd", "slower", "healthy"),
    [
        (0.0, 1.0, True),
        (0.0, 1.3, False),
        # Where levels move by a fifth from day to day, one day at 1.2 times is nothing unusual.
        (0.2, 1.2, True),
    ],
)
def test_direct_step_is_judged_by_what_was_usual(level_sd: float, slower: float, healthy: bool) -> None:
    rng = random.Random(2)
    past, new = hours(rng, HOURS, level_sd), hours(rng, 24, 0.0, slower)
    old = past[HOURS - 168 : HOURS - 144]
    calm = [Minute(100.0, 80.0 * m, 80.0 * m, 160.0 * m) for m in (1 + n % 3 / 100 for n in range(24))]
    sides = Side(tuple(old if level_sd == 0 else calm)), Side(tuple(new))
    comparison = CanaryComparison(*sides, 1.1, 1.0, usual=usual_steps(past, 24))
    assert judge(comparison, 7, LookKind.DUE).healthy is healthy
