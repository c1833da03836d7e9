"""The best way of avoiding cold starts, beside doing nothing."""

from hypothesis import given, strategies as st
from optimizer.core import Way, best_way

amounts = st.floats(0, 1e4)
ways = st.builds(Way, st.floats(-10, 10), amounts)


@given(st.dictionaries(st.text(max_size=3), ways, max_size=4), st.floats(0, 1))
def test_no_other_way_gains_more_and_nothing_is_always_one(some: dict[str, Way], worth: float) -> None:
    best = best_way(some, worth)
    gains = [way.gain(worth) for way in some.values()]
    if best is None:
        assert all(gain <= 0 for gain in gains)
    else:
        assert some[best].gain(worth) == max(gains) > 0


def test_a_way_that_costs_less_than_its_worth_is_taken() -> None:
    pings, provisioned = Way(0.002, 9.0), Way(0.06, 10.0)
    assert best_way({"pings": pings, "provisioned": provisioned}, 0.0003) == "pings"
    assert best_way({"provisioned": provisioned}, 0.0003) is None
    assert best_way({"pings": pings, "provisioned": provisioned}, 0.1) == "provisioned"
    # Environments that are busy enough cost less than on demand, so they need no cold start.
    assert best_way({"provisioned": Way(-1.0, 0.0)}, 0.0) == "provisioned"
