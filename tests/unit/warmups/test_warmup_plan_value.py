"""The best stretches, compared with trying all possible pings."""

from itertools import product

import numpy as np
from hypothesis import given, settings, strategies as st
from optimizer.warmups.plan_value import best_cover

from tests.helpers.examples import examples


def every_way(value: np.ndarray, keep_alive: int, minutes: int) -> float:
    """Return the highest gain of any set of pings at one level."""
    best = 0.0
    for pinged in product((False, True), repeat=minutes):
        held = np.zeros(len(value), bool)
        for minute in np.flatnonzero(pinged):
            held[minute : minute + keep_alive + 1] = True
        best = max(best, float(value[held].sum()))
    return best


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(1, 4), st.integers(1, 8), st.data())
def test_no_other_pings_gain_more(keep_alive: int, minutes: int, data: st.DataObject) -> None:
    size = minutes + keep_alive
    value = np.array(data.draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size)), float)
    held = best_cover(value[:, None], keep_alive, minutes)[:, 0]
    assert value[held].sum() == every_way(value, keep_alive, minutes)
