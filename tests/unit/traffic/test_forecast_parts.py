"""The parts of a forecast: warm environments, levels, factors of past days, and the mixture of members."""

import numpy as np
from hypothesis import given, settings, strategies as st
from optimizer.traffic.forecast.demand import MOST_LEVELS, Levels, kept_warm, level_factors
from optimizer.traffic.forecast.mixture import (
    DAY_MINUTES,
    MEMBERS,
    NEIGHBOURHOODS,
    PastDayTables,
    day_tables,
    fitted_weights,
    mean_tables,
)

DAYS = 10


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 20))
def test_an_environment_stays_warm_for_the_keep_alive(needed: list[int], keep_alive: int) -> None:
    expected = [max(needed[max(0, t - keep_alive) : t], default=0) for t in range(len(needed))]
    assert kept_warm(np.array(needed, float), keep_alive).tolist() == expected


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_levels_cover_every_environment_once_and_stay_few(most: int) -> None:
    levels = Levels.up_to(most)
    assert levels.low.tolist() == [0, *levels.high[:-1].tolist()]
    assert levels.high[-1] == most
    assert len(levels.high) <= MOST_LEVELS


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_levels_add_up_to_the_environments_short_and_unused(needed: int, warm: int) -> None:
    levels = Levels.up_to(200)
    here, there = np.array([needed], float), np.array([warm], float)
    assert levels.cold(here, there).sum() == max(needed - warm, 0)
    assert levels.unused(here, there).sum() == 200 - max(needed, warm)


def test_level_factor_follows_only_lasting_differences() -> None:
    steady = np.repeat([100.0] * 9 + [200.0], DAY_MINUTES)
    assert level_factors(steady, 1440)[0] > 1.6
    random = np.random.default_rng(5)
    # Every six hours another level, that says nothing of the next.
    restless = np.repeat(random.lognormal(3, 1.5, 15 * 4), 360)
    restless[-360:] = 1000
    assert level_factors(restless, 360).max() < 3.0


def test_level_factor_is_one_without_calls() -> None:
    assert level_factors(np.zeros(3 * DAY_MINUTES), 360).tolist() == [1.0] * (3 * DAY_MINUTES)


def past(needed: np.ndarray) -> np.ndarray:
    minutes = np.arange(len(needed))
    return day_tables(PastDayTables.of(needed, kept_warm(needed, 10), minutes, len(needed)), Levels.up_to(1))


def test_mixture_tells_a_schedule_from_random_calls() -> None:
    fixed = np.zeros(DAYS * DAY_MINUTES)
    fixed[600::DAY_MINUTES] = 1
    anywhere = (np.random.default_rng(2).random(DAYS * DAY_MINUTES) < 0.02).astype(float)
    exact = NEIGHBOURHOODS[0]
    assert exact.reach == 0
    sure, unsure = fitted_weights(past(fixed)), fitted_weights(past(anywhere))
    assert sure[0] > 1 / MEMBERS > unsure[0]
    assert np.isclose(sure.sum(), 1)
    assert np.isclose(unsure.sum(), 1)


def test_short_and_unused_shares_never_exceed_one() -> None:
    needed = (np.random.default_rng(4).random(DAYS * DAY_MINUTES) < 0.1).astype(float)
    tables = past(needed)
    shares = mean_tables(tables, fitted_weights(tables), np.arange(DAY_MINUTES))
    assert (shares >= 0).all()
    assert (shares[:, 0] + shares[:, 1] <= 1 + 1e-5).all()


def test_mixture_expects_a_morning_schedule_only_then() -> None:
    """A half-hourly schedule that runs only in the morning is expected in the morning and at no other time."""
    # A schedule every half hour from eight to twelve that misses every other time: no single minute of the day says so.
    random = np.random.default_rng(4)
    needed = np.zeros(DAYS * DAY_MINUTES)
    of_day = np.arange(len(needed)) % DAY_MINUTES
    needed[(of_day % 30 == 2) & (of_day >= 480) & (of_day < 720) & (random.random(len(needed)) < 0.5)] = 1
    tables = past(needed)
    shares = mean_tables(tables, np.eye(MEMBERS)[-1], np.arange(DAY_MINUTES))[:, 0]
    assert 0.3 < shares[602] < 0.7
    assert shares[1202] < 0.01
    assert shares[610] < 0.01
