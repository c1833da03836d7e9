import math
import random

import pytest
from optimizer.capacity.canary import LookKind
from optimizer.capacity.duration_ratios import Minute
from optimizer.capacity.switchback import Slot, durations_of_slots, judge_slots


def slots(rng: random.Random, count: int, slower: float, errors: float = 0.0, drift: float = 0.0) -> list[Slot]:
    """Slots in turns, at a level that lasts and drifts."""
    level, found = 0.0, []
    for number in range(count):
        level = 0.9 * level + rng.gauss(0, 0.05) + drift
        new = number % 2 == 1
        duration = 80.0 * math.exp(level + rng.gauss(0, 0.02)) * (slower if new else 1.0)
        found.append(Slot(new, Minute(100.0, duration, duration, 2 * duration), errors=errors if new else 0.0))
    return found


@pytest.mark.parametrize(("slower", "least", "most"), [(1.0, 0.0, 0.02), (1.3, 0.98, 1.0)])
def test_switchback_is_judged_by_its_own_noise(slower: float, least: float, most: float) -> None:
    """Levels that last for days are shared by slots beside each other."""
    rng = random.Random(3)
    found = [judge_slots(slots(rng, 56, slower), 1.1, 5, LookKind.FINAL) for _ in range(200)]
    assert least <= sum("times that before; 1.1 is allowed" in one.reason for one in found) / 200 <= most


def test_drift_cancels_between_slots() -> None:
    ratios = durations_of_slots(slots(random.Random(4), 56, 1.0, drift=0.05))
    assert ratios.typical is not None
    assert abs(ratios.typical.value) < 0.02


def test_switchback_ends_early_when_clearly_worse() -> None:
    health = judge_slots(slots(random.Random(5), 28, 2.0), 1.1, 5, LookKind.EARLY)
    assert not health.healthy


def test_errors_of_the_new_setting_end_a_switchback() -> None:
    health = judge_slots(slots(random.Random(6), 28, 1.0, errors=20.0), 1.1, 5, LookKind.EARLY)
    assert not health.healthy
    assert "failed" in health.reason


@pytest.mark.parametrize(("look", "healthy"), [(LookKind.DUE, True), (LookKind.FINAL, False)])
def test_few_slots_are_too_few_to_judge(look: LookKind, healthy: bool) -> None:
    health = judge_slots(slots(random.Random(7), 4, 1.0), 1.1, 5, look)
    assert health.healthy is healthy
    assert not health.enough
    assert "too few" in health.reason


def test_slots_without_calls_are_left_out() -> None:
    played = slots(random.Random(8), 56, 1.0)
    empty = [Slot(slot.new, Minute(0.0, 0.0)) if number % 7 == 0 else slot for number, slot in enumerate(played)]
    assert judge_slots(empty, 1.1, 5, LookKind.FINAL).enough
