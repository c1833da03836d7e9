"""The pings that gain most, compared with trying all possible ones."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.traffic.forecast import ColdStartForecast
from optimizer.traffic.forecast.demand import Levels
from optimizer.warmups.ping_plan import PingPrices, plan_pings

from tests.helpers.examples import examples

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
    made = plan_pings(forecast(cold), PRICES, 1.5, keep_alive, 2)
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
    assert plan_pings(forecast(np.full((60, 2), 0.001)), PRICES, 1.0, 10, 2).pings == ()
    assert plan_pings(forecast(np.full((60, 2), 9.0)), PRICES, 1.0, 10, 0).pings == ()


def test_one_ping_precedes_one_certain_call() -> None:
    cold = np.zeros((60, 1))
    cold[30] = 1.0
    made = plan_pings(forecast(cold), PRICES, 9.0, 10, 1)
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
    assert plan_pings(forecast(cold), PRICES, 99.0, 10, 1).pings == ()


def test_environments_never_die_between_pings_of_one_stretch() -> None:
    made = plan_pings(forecast(np.full((120, 1), 0.9)), PRICES, 99.0, 10, 1)
    minutes = [minute for minute, _ in made.pings]
    # Two pings that are sent at the first and at the last second of their minutes are a minute further apart.
    assert set(np.diff(minutes)) == {9}


def test_one_ping_for_many_costs_less_than_many_pings() -> None:
    """Environments beside the first cost a tenth of it, so rare bursts are worth holding where calls are likely."""
    cold = np.tile([0.9, 0.06, 0.06, 0.06], (60, 1))
    made = plan_pings(forecast(cold), PingPrices(6.2, 0.5, 0.0), 10.0, 10, 4)
    assert {count for _, count in made.pings} == {4}
    alone = plan_pings(forecast(np.tile([0.06], (60, 1))), PingPrices(6.2, 0.5, 0.0), 10.0, 10, 4)
    assert alone.pings == ()


def test_calls_in_progress_need_no_ping() -> None:
    cold = np.zeros((120, 5))
    cold[30, 4] = 1.0
    made = plan_pings(forecast(cold, in_progress=3.2, warm=0.9), PRICES, 99.0, 10, 5)
    assert [count for _, count in made.pings] == [2]
