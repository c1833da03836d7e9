"""Provisioned concurrency by the time of day."""

from datetime import UTC, datetime
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizer.capacity.scheduled_minimum import READY_MINUTES, ScheduledMinimum, scheduled_minimum, usual_hours

BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=BERLIN)


def held(busy: dict[int, float], **changes: object) -> ScheduledMinimum:
    """A day that is busy in these hours only."""
    expected = np.zeros((24, 60))
    for hour, environments in busy.items():
        expected[hour] = environments
    facts: dict = {"least_utilisation": 0.6, "most": 10} | changes
    return scheduled_minimum(expected, MIDNIGHT, BERLIN, **facts)


def test_environments_are_held_through_the_hours_in_which_they_are_busy_and_asked_for_before() -> None:
    made = held({9: 3.0, 10: 3.0})
    assert made.environments == tuple(3 if hour in (9, 10) else 0 for hour in range(24))
    assert [(step.at.hour, step.at.minute, step.environments) for step in made.steps] == [
        (8, 60 - READY_MINUTES, 3),
        (11, 0, 0),
    ]
    assert made.utilisation == pytest.approx(1.0)


def test_an_environment_that_is_busy_for_less_than_is_worth_its_price_is_not_held() -> None:
    # The fourth would be busy for half of the time.
    assert held({9: 3.5}).environments[9] == 3
    assert held({9: 3.5}, least_utilisation=0.4).environments[9] == 4


def test_no_more_than_the_limit_is_held_and_zero_means_none() -> None:
    assert max(held({9: 8.0}, most=2).environments) == 2
    made = held({9: 8.0}, most=0)
    assert (made.environment_hours, made.steps) == (0, ())


def test_what_is_held_already_is_not_given_back_for_an_hour_that_is_nearly_worth_it() -> None:
    busy = {8: 1.0, 9: 0.59, 10: 1.0}
    assert held(busy).environments[8:11] == (1, 1, 1)
    assert held({9: 0.59}).environment_hours == 0


def test_what_is_held_now_and_worth_nothing_ends_at_once() -> None:
    made = held({}, held_now=2)
    assert [(step.at, step.environments) for step in made.steps] == [(MIDNIGHT, 0)]


def test_on_the_day_when_clocks_change_a_step_comes_at_the_local_hour() -> None:
    start = datetime(2026, 3, 29, tzinfo=BERLIN)
    expected = np.zeros((23, 60))
    # Nine o'clock is the ninth hour of that day: from two on it is an hour later.
    expected[8] = 2.0
    made = scheduled_minimum(expected, start, BERLIN, least_utilisation=0.6, most=5)
    assert [(step.at.hour, step.at.minute) for step in made.steps] == [(8, 58), (10, 0)]


def test_hours_of_which_nothing_is_known_hold_nothing() -> None:
    expected = np.full((24, 60), np.nan)
    made = scheduled_minimum(expected, MIDNIGHT.astimezone(UTC), BERLIN, least_utilisation=0.6, most=5)
    assert made.environment_hours == 0


def test_past_hours_are_taken_at_the_level_of_the_forecast() -> None:
    busy = np.full((7, 24, 60), 2.0)
    then = np.full((7, 24), 600.0)
    ahead = np.full(24, 900.0)
    ahead[5] = np.nan
    expected = usual_hours(busy, ahead, then)
    assert expected.shape == (24, 420)
    assert expected[0].mean() == pytest.approx(3.0)
    assert expected[5].mean() == pytest.approx(2.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.booleans())
def test_no_other_hours_of_one_environment_are_worth_more(busy: list[float], held_before: bool) -> None:
    least = 0.6
    cost = least * READY_MINUTES / 60

    def worth(hours: tuple[bool, ...]) -> float:
        starts = sum(on and not before for before, on in zip((held_before, *hours), hours, strict=False))
        return sum(use - least for use, on in zip(busy, hours, strict=True) if on) - cost * starts

    expected = np.repeat(np.array(busy)[:, None], 60, axis=1)
    made = scheduled_minimum(expected, MIDNIGHT, BERLIN, least_utilisation=least, most=1, held_now=int(held_before))
    best = max(worth(hours) for hours in product((False, True), repeat=len(busy)))
    assert worth(tuple(count == 1 for count in made.environments)) == pytest.approx(best, abs=1e-6)
