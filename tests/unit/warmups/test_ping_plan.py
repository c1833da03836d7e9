"""The pings that gain most, compared with trying all possible ones."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.traffic.forecast import ColdStartForecast, Lives
from optimizer.traffic.forecast.demand import Levels
from optimizer.warmups.ping_plan import PingPrices, _gaps, plan_pings

from tests.helpers.examples import examples

TEN = Lives.of_minutes(10)
PRICES = PingPrices(ping_usd=2.0, environment_usd=0.5, init_usd=1.0)


def forecast(cold: np.ndarray, in_progress: float = 0.0, warm: float = 0.0) -> ColdStartForecast:
    levels = Levels.up_to(cold.shape[1])
    return ColdStartForecast(levels, cold, np.full(cold.shape, warm), np.full(len(cold), in_progress))


def gain(cold: np.ndarray, counts: tuple[int, ...], keep_alive: int, worth: float) -> float:
    """Return what pings of so many environments gain, counted minute by minute."""
    total, alive = 0.0, np.zeros(cold.shape[1])
    for minute, level in enumerate(cold):
        held = alive > 0
        total += (worth + PRICES.init_usd) * float(level[held].sum())
        alive = np.maximum(alive - 1, 0)
        count = counts[minute] if minute < len(counts) else 0
        if count:
            # A ping that finds an environment in its last minute comes too late for some of its seconds.
            started = int((alive[:count] < 1).sum())
            total -= PRICES.ping_usd + PRICES.environment_usd * count + PRICES.init_usd * started
            alive[:count] = keep_alive - 1
    return total


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(2, 4), st.integers(2, 7), st.data())
def test_no_other_pings_at_the_same_distance_gain_more(keep_alive: int, minutes: int, data: st.DataObject) -> None:
    """The chosen gain reaches that of every set of pings that are a keep-alive less a minute apart, or further."""
    values = st.lists(st.floats(0, 4), min_size=2 * minutes, max_size=2 * minutes)
    cold = np.array(data.draw(values)).reshape(minutes, 2)
    made = plan_pings(forecast(cold), PRICES, 1.5, Lives.of_minutes(keep_alive), 2)
    worth = 1.5 * made.avoided_cold_starts - made.net_usd
    later = 0.5 * cold.mean(axis=0)
    padded = np.concatenate([cold, np.tile(later, (keep_alive + 1, 1))])
    for counts in product(range(3), repeat=minutes):
        at = [minute for minute, count in enumerate(counts) if count]
        gaps = np.diff(at)
        if any(gap != keep_alive - 1 and gap < keep_alive for gap in gaps):
            continue
        # The plan's own figures leave out what lies beyond the hours ahead, so this compares both with it.
        assert gain(padded, counts, keep_alive, 1.5) <= worth + _beyond(padded, keep_alive) + 1e-6


def _beyond(padded: np.ndarray, keep_alive: int) -> float:
    """The most that the last pings may gain beyond the hours ahead, and in the middle of their last minute."""
    return float((1.5 + PRICES.init_usd) * padded[-keep_alive - 1 :].sum() + (1.5 + PRICES.init_usd) * padded.max() * 2)


def test_nothing_is_pinged_where_nothing_is_gained() -> None:
    assert plan_pings(forecast(np.full((60, 2), 0.001)), PRICES, 1.0, TEN, 2).pings == ()
    assert plan_pings(forecast(np.full((60, 2), 9.0)), PRICES, 1.0, TEN, 0).pings == ()


def test_one_ping_precedes_one_certain_call() -> None:
    cold = np.zeros((60, 1))
    cold[30] = 1.0
    made = plan_pings(forecast(cold), PRICES, 9.0, TEN, 1)
    ((minute, count),) = made.pings
    assert 20 <= minute < 30
    assert count == 1
    assert made.avoided_cold_starts == pytest.approx(1.0)
    # A ping, its environment and its INIT, less the INIT of the cold start that did not happen.
    assert made.net_usd == pytest.approx(2.0 + 0.5 + 1.0 - 1.0)


def test_call_in_the_minute_of_a_ping_is_not_counted_on() -> None:
    """A ping is sent at any second of its minute, so none is planned for the very first minute's call."""
    cold = np.zeros((120, 1))
    cold[0] = 1.0
    assert plan_pings(forecast(cold), PRICES, 99.0, TEN, 1).pings == ()


def test_environments_never_die_between_pings_of_one_stretch() -> None:
    made = plan_pings(forecast(np.full((120, 1), 0.9)), PRICES, 99.0, TEN, 1)
    minutes = [minute for minute, _ in made.pings]
    # Two pings that are sent at the first and at the last second of their minutes are a minute further apart.
    assert set(np.diff(minutes)) == {9}


def test_one_ping_for_many_costs_less_than_many_pings() -> None:
    """Environments beside the first cost a tenth of it, so rare bursts are worth holding where calls are likely."""
    cold = np.tile([0.9, 0.06, 0.06, 0.06], (60, 1))
    made = plan_pings(forecast(cold), PingPrices(6.2, 0.5, 0.0), 10.0, TEN, 4)
    assert {count for _, count in made.pings} == {4}
    alone = plan_pings(forecast(np.tile([0.06], (60, 1))), PingPrices(6.2, 0.5, 0.0), 10.0, TEN, 4)
    assert alone.pings == ()


def test_calls_in_progress_need_no_ping() -> None:
    cold = np.zeros((120, 5))
    cold[30, 4] = 1.0
    made = plan_pings(forecast(cold, in_progress=3.2, warm=0.9), PRICES, 99.0, TEN, 5)
    assert [count for _, count in made.pings] == [2]


def test_pings_keep_a_margin_where_lives_differ() -> None:
    """Environments that live 5 to 15 minutes are pinged more often than those that all live 10, where it pays."""
    cold, spread = np.full((240, 1), 0.9), Lives.of(np.clip((15 - np.arange(16)) / 10, 0, 1))
    alike = np.diff([minute for minute, _ in plan_pings(forecast(cold), PRICES, 99.0, TEN, 1).pings])
    apart = np.diff([minute for minute, _ in plan_pings(forecast(cold), PRICES, 99.0, spread, 1).pings])
    assert set(alike) == {9}
    assert apart.max() <= 6
    # Where a cold start is worth little, the margin is not: the pings of some that died are cheaper.
    seldom = np.diff([minute for minute, _ in plan_pings(forecast(cold), PRICES, 0.5, spread, 1).pings])
    assert seldom.mean() > apart.mean()


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(2, 4), st.floats(0.1, 0.9), st.integers(2, 7), st.data())
def test_no_other_pings_gain_more_with_lives_that_differ(
    longest: int, share: float, minutes: int, data: st.DataObject
) -> None:
    """The expected gain of the plan reaches that of every set of pings, counted over two kinds of lives."""
    cold = np.array(data.draw(st.lists(st.floats(0, 4), min_size=minutes, max_size=minutes)))[:, None]
    lives = Lives((1.0,) * 2 + (1 - share,) * (longest - 1))
    alive = lives.found_alive()
    made = plan_pings(forecast(cold), PRICES, 1.5, lives, 1)
    gained = 1.5 * made.avoided_cold_starts - made.net_usd
    gaps = set(range(1, 99)) if longest <= 2 else set(_gaps(alive).tolist()) | set(range(longest, 99))
    for pinged in product((False, True), repeat=minutes):
        at = [minute for minute, flag in enumerate(pinged) if flag]
        if not set(np.diff(at).tolist()) <= gaps:
            continue
        total = 0.0
        for index, minute in enumerate(at):
            gap = minute - at[index - 1] if index else 99
            dead = 1 - (alive[gap] if gap < len(alive) else 0.0)
            total -= PRICES.ping_usd + PRICES.environment_usd + PRICES.init_usd * dead
            end = min(at[index + 1] if index + 1 < len(at) else minutes, minute + longest)
            later = cold[minute + 1 : end + 1, 0]
            total += (1.5 + PRICES.init_usd) * float(alive[1 : 1 + len(later)] @ later)
        beyond = 0.5 * float(cold.mean()) * longest * (1.5 + PRICES.init_usd)
        # A tenth of the gain is left out for caution, so that the plan may be one that gains a little less.
        assert total <= gained + beyond + 0.1 * (1.5 + PRICES.init_usd) * float(cold.sum()) + 1e-6
