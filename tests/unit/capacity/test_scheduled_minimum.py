"""The hours of a week in which environments are worth holding."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.capacity.provisioned.best_week import scheduled_minimum
from optimizer.capacity.provisioned.timetable import READY_MINUTES

from tests.helpers.examples import examples


def held(busy: dict[int, float], *, least: float = 0.6, most: int = 10, floor: int = 0) -> tuple[int, ...]:
    """A day that is busy in these hours only, again and again."""
    used = np.zeros((most, 24))
    for hour, environments in busy.items():
        used[:, hour] = np.clip(environments - np.arange(most), 0, 1)
    return scheduled_minimum(used, least_utilisation=least, floor=floor)


def test_environments_are_held_through_busy_hours() -> None:
    assert held({9: 3.0, 10: 3.0}) == tuple(3 if hour in (9, 10) else 0 for hour in range(24))


def test_environment_not_worth_its_price_is_not_held() -> None:
    # The fourth would be busy for half of the time.
    assert held({9: 3.5})[9] == 3
    assert held({9: 3.5}, least=0.4)[9] == 4


def test_limit_is_held_and_zero_means_none() -> None:
    assert max(held({9: 8.0}, most=2)) == 2
    assert sum(held({9: 8.0}, most=0)) == 0


def test_environment_is_held_through_a_nearly_busy_hour() -> None:
    """An environment is not given back for an hour that is nearly worth its price."""
    assert held({8: 1.0, 9: 0.59, 10: 1.0})[8:11] == (1, 1, 1)
    assert sum(held({9: 0.59})) == 0


def test_floor_is_held_at_all_hours() -> None:
    """The environments above the floor are decided hour by hour."""
    assert held({9: 3.0}, floor=1) == tuple(3 if hour == 9 else 1 for hour in range(24))


def test_unknown_hours_hold_nothing() -> None:
    assert sum(scheduled_minimum(np.full((5, 24), np.nan), least_utilisation=0.6)) == 0


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=7))
def test_no_other_hours_are_worth_more(busy: list[float]) -> None:
    least = 0.6
    cost = least * READY_MINUTES / 60

    def worth(hours: tuple[bool, ...]) -> float:
        starts = sum(on and not hours[hour - 1] for hour, on in enumerate(hours))
        return sum(use - least for use, on in zip(busy, hours, strict=True) if on) - cost * starts

    made = scheduled_minimum(np.array([busy]), least_utilisation=least)
    best = max(worth(hours) for hours in product((False, True), repeat=len(busy)))
    assert worth(tuple(count == 1 for count in made)) == pytest.approx(best, abs=1e-6)


def test_where_use_never_pays_only_avoided_cold_starts_hold_environments() -> None:
    """In Regions where provisioned concurrency costs as much as calls on demand the break-even is above 1."""
    always_busy = np.ones((2, 24))
    assert sum(scheduled_minimum(always_busy, least_utilisation=1.2)) == 0
    with_cold_starts = always_busy + np.where(np.arange(24) < 12, 1.0, 0.0)
    assert scheduled_minimum(with_cold_starts, least_utilisation=1.2) == (2,) * 12 + (0,) * 12
    with pytest.raises(ValueError, match="above 0 and finite"):
        scheduled_minimum(always_busy, least_utilisation=math.inf)
