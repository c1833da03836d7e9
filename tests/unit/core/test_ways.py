"""The best way of avoiding cold starts, beside doing nothing."""

import random

import pytest
from hypothesis import given, strategies as st
from optimizer.core import Option, Way, best_way, cheapest_amount, cheapest_that_keeps

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


@pytest.mark.parametrize("seed", range(200))
def test_cheapest_amount_is_that_of_trying_all(seed: int) -> None:
    """Slow calls fall with the amount; each environment saves less than the one before."""
    chance = random.Random(seed)
    most = chance.randint(0, 30)
    slow = sorted((chance.random() * 0.03 for _ in range(most + 1)), reverse=True)
    saved = sorted((chance.random() * 4 for _ in range(most + 1)), reverse=True)
    price = chance.random() * 4
    usd = [amount * price - sum(saved[:amount]) for amount in range(most + 1)]
    tried: list[int] = []

    def slow_share(amount: int) -> float:
        tried.append(amount)
        return slow[amount]

    found = cheapest_amount(usd.__getitem__, slow_share, most, 0.01)
    keeping = [amount for amount in range(1, most + 1) if slow[amount] <= 0.01]
    assert (found.environments if found else None) == min(keeping, key=usd.__getitem__, default=None)
    assert found is None or (found.usd_month, found.slow_share) == (usd[found.environments], slow[found.environments])
    assert len(tried) <= 8


def test_cheapest_way_must_keep_the_goal() -> None:
    ways = {"nothing": Option(0, 0.0, 0.02), "pings": Option(2, 3.0, 0.01), "other": Option(1, 3.0, 0.0), "none": None}
    assert cheapest_that_keeps(ways, 0.01) == "pings"
    assert cheapest_that_keeps(ways, 0.02) == "nothing"
    assert cheapest_that_keeps({"nothing": Option(0, 0.0, 0.02), "none": None}, 0.01) is None
