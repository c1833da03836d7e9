"""A new level of calls: noticed soon, not seen in chance or in habits, and followed as long as former ones lasted."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.traffic.forecast.new_level import NewLevel, new_level

from tests.helpers.examples import examples

DAY, DAYS = 1440, 15


def rests(days: int = DAYS) -> np.ndarray:
    """Return for each half hour of days that begin on a Monday if it lies on a weekend."""
    return np.repeat(np.arange(days) % 7 >= 5, 48)


def rate(a_minute: float, days: int = DAYS) -> np.ndarray:
    """Return calls with a daily rhythm."""
    return a_minute * (1.1 + np.sin(2 * np.pi * np.arange(days * DAY) / DAY))


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 50))
def test_chance_alone_is_no_new_level(seed: int, a_minute: float) -> None:
    found = new_level(np.random.default_rng(seed).poisson(rate(a_minute)).astype(float), rests())
    assert found.chance * (found.factor - 1) < 0.5


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1, 50), st.floats(3, 10), st.sampled_from([30, 60, 180, 600]))
def test_far_more_calls_are_noticed_within_half_an_hour(seed: int, a_minute: float, factor: float, since: int) -> None:
    mean = np.full(DAYS * DAY, a_minute)
    mean[-since:] *= factor
    found = new_level(np.random.default_rng(seed).poisson(mean).astype(float), rests())
    assert found.chance > 0.9
    # Thirty usual calls in half an hour are 18 % more or less by chance, which may look like an end of the rise.
    assert found.factor == pytest.approx(factor, rel=0.45)
    assert found.lasting > 0.5


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(3, 10))
def test_unknown_minutes_are_no_calls_and_no_silence(seed: int, factor: float) -> None:
    mean = np.full(DAYS * DAY, 5.0)
    mean[-60:] *= factor
    calls = np.random.default_rng(seed).poisson(mean).astype(float)
    calls[-5:] = np.nan
    found = new_level(calls, rests())
    assert found.chance > 0.9
    assert found.factor == pytest.approx(factor, rel=0.35)


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_function_that_often_has_such_hours_is_not_followed(seed: int) -> None:
    """Bursts of an hour on most days, at any hour, are its habit, and end within the hour."""
    random = np.random.default_rng(seed)
    mean = np.full(DAYS * DAY, 2.0)
    for day in range(DAYS - 1):
        begin = day * DAY + 60 * int(random.integers(0, 24))
        mean[begin : begin + 60] *= 8
    mean[-60:] *= 8
    found = new_level(random.poisson(mean).astype(float), rests())
    assert found.lasting < 0.6
    assert found.chance < 0.9


def test_a_level_fades_as_former_ones_did() -> None:
    level = NewLevel(chance=1.0, factor=5.0, lasting=0.5)
    assert level.after(np.array([0.0, 1.0, 2.0])).tolist() == [5.0, 3.0, 2.0]


@pytest.mark.parametrize("minutes", [0, 60, DAY])
def test_a_first_day_has_no_usual_level(minutes: int) -> None:
    assert new_level(np.ones(minutes), rests()) == NewLevel()


def test_a_new_level_is_read_from_its_own_kind_of_day() -> None:
    """A Monday like all Mondays is no surprise after a quiet weekend."""
    mean = np.where(np.repeat(np.arange(DAYS) % 7 >= 5, DAY), 0.5, 20.0)
    # The fifteenth day is a Monday again.
    found = new_level(np.random.default_rng(1).poisson(mean).astype(float), rests())
    assert found.chance * (found.factor - 1) < 0.1
