"""Runs one after another on a cache whose reads stay as they are: where they end, and what that costs."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.caches.tuning.curves import hit_curve
from optimizer.caches.tuning.limits import TtlLimits
from optimizer.caches.tuning.records import SampledReads
from optimizer.caches.tuning.replay import Accesses
from optimizer.caches.tuning.sample import KeySample
from optimizer.caches.tuning.tune import NamespaceState, Prices, tune

from tests.helpers.examples import examples

SPAN_S = 3600.0
# The floors below which the tuner changes nothing: a share of the reads, and dollars a month for a shorter TTL.
FLOOR_SHARE, FLOOR_USD = 1e-4, 0.05
MONTH_S = 365 / 12 * 86_400


def stationary(seed, keys, reads, skew):
    """Return the reads of keys of many rates, each a Poisson process."""
    generator = random.Random(seed)
    weights = [1 / (i + 1) ** skew for i in range(keys)]
    drawn = generator.choices(range(keys), weights, k=reads)
    pairs = [(generator.uniform(0, SPAN_S), f"{key:016x}") for key in drawn]
    return SampledReads(Accesses.of(pairs), KeySample(1.0, frozenset(), len(pairs)), 0.0, SPAN_S)


def at(state, ttl_s):
    """Return the hit ratio, the misses a second and the bytes with a TTL."""
    seen = state.sampled
    warm_s = min(SPAN_S / 3, max(state.limits.max_ttl_s, ttl_s))
    curve = hit_curve(seen.accesses, [ttl_s], sample=seen.sample, span_s=(0.0, SPAN_S), warm_up_s=warm_s)
    return curve.hit_ratio[0], curve.misses_per_s(0), curve.live_entries[0] * state.entry_bytes


def cost_month(states, ttls, prices):
    """Return the cost of a month: dollars with prices, and otherwise misses."""
    found = [at(states[name], ttl_s) for name, ttl_s in ttls.items()]
    if prices is None:
        return sum(misses * states[name].miss_cost for name, (_, misses, _) in zip(ttls, found, strict=True))
    usd = (
        misses * MONTH_S / 1e6 * prices.usd_million_misses + held / 1e9 * prices.usd_gb_month
        for _, misses, held in found
    )
    return sum(usd)


def floor(states, prices):
    reads_per_s = sum(len(state.sampled.accesses.time_us) for state in states.values()) / SPAN_S
    if prices is None:
        return 2 * FLOOR_SHARE * reads_per_s * max(state.miss_cost for state in states.values())
    return len(states) * FLOOR_USD + 2 * FLOOR_SHARE * reads_per_s * MONTH_S / 1e6 * prices.usd_million_misses


def end_of_runs(states, start, memory_bytes, prices=None):
    """Return the TTLs in the end of runs from `start` on."""
    now = dict(start)
    for _ in range(40):
        decisions = tune({n: replace(s, current_ttl_s=now[n]) for n, s in states.items()}, memory_bytes, prices)
        changed = {d.namespace: d.after_s for d in decisions if d.after_s is not None}
        if not changed:
            return now
        now |= changed
    raise AssertionError(f"the runs do not end: {now}")


@st.composite
def caches(draw):
    states = {}
    for name in draw(st.sampled_from(["a", "ab"])):
        seen = stationary(
            draw(st.integers(0, 99)), draw(st.sampled_from([20, 150, 600])), 1500, draw(st.floats(0, 1.3))
        )
        low = draw(st.sampled_from([1.0, 5.0, 7.5]))
        states[name] = NamespaceState(
            low,
            TtlLimits(
                low, draw(st.sampled_from([120.0, 600.0, 1000.0])), max_step_ratio=draw(st.sampled_from([2.0, 8.0]))
            ),
            seen,
            miss_cost=draw(st.sampled_from([1.0, 30.0])),
            entry_bytes=draw(st.sampled_from([200.0, 20_000.0])),
            target_hit_ratio=draw(st.sampled_from([None, 0.3, 0.6, 0.9])),
        )
    return states


@settings(max_examples=examples(10), deadline=None)
@given(
    caches(),
    st.sampled_from([0.2, 0.5, 1.2, 10.0]),
    st.sampled_from([None, Prices(91.25, 0.125), Prices(91.25, 5.0), Prices(9000.0, 5.0)]),
    st.randoms(use_true_random=False),
)
def test_runs_end_at_the_same_cost_from_every_start(states, room, prices, generator):
    """No sequence of runs raises the cost or ends below a target that is met, whatever the budget and the prices."""
    low = {name: state.limits.min_ttl_s for name, state in states.items()}
    high = {name: state.limits.max_ttl_s for name, state in states.items()}
    middle = {name: round(generator.uniform(low[name], high[name]), 1) for name in states}
    budget = room * sum(at(state, high[name])[2] for name, state in states.items())
    ends = [end_of_runs(states, start, budget, prices) for start in (low, middle, high)]
    costs = [cost_month(states, end, prices) for end in ends]
    assert max(costs) <= 1.01 * min(costs) + floor(states, prices)
    if room > 1:
        for start, end, cost in zip((low, middle, high), ends, costs, strict=True):
            begun = cost_month(states, start, prices)
            below = {n for n, s in states.items() if at(s, start[n])[0] < (s.target_hit_ratio or 0)}
            assert below or cost <= 1.001 * begun + floor(states, prices)
            for name, state in states.items():
                assert name in below or at(state, end[name])[0] >= (state.target_hit_ratio or 0)


MANY_RATES = stationary(1, 300, 12_000, 1.0)
WIDE = TtlLimits(5, 1000)


def test_met_target_and_memory_that_nobody_needs_leave_the_hits_alone():
    state = NamespaceState(600, WIDE, MANY_RATES, entry_bytes=500, target_hit_ratio=at_least(600))
    (decision,) = tune({"price": state}, 512 * 2**20)
    assert decision.evidence["hit_ratio_after"] >= state.target_hit_ratio
    end = end_of_runs({"price": state}, {"price": 600.0}, 512 * 2**20)
    assert at(state, end["price"])[0] >= state.target_hit_ratio


def at_least(ttl_s):
    return at(NamespaceState(ttl_s, WIDE, MANY_RATES), ttl_s)[0]


def test_scarce_memory_is_filled_and_no_more():
    state = NamespaceState(900, WIDE, MANY_RATES, entry_bytes=5000, target_hit_ratio=at_least(900))
    budget = at(state, 300)[2]
    end = end_of_runs({"price": state}, {"price": 900.0}, budget)["price"]
    assert 0.8 * budget <= at(state, end)[2] <= budget
    assert (1 - at(state, end)[0]) <= 1.15 * (1 - at(state, 300)[0])


@pytest.mark.parametrize("start", [900.0, 5.0, 77.0])
def test_steps_between_whole_bounds_are_whole_seconds(start):
    state = NamespaceState(start, TtlLimits(5, 1000, max_step_ratio=1.7), MANY_RATES, entry_bytes=5000)
    now, budget = start, at(state, 300)[2]
    for _ in range(20):
        (decision,) = tune({"price": replace(state, current_ttl_s=now)}, budget)
        if decision.after_s is None:
            break
        now = decision.after_s
        assert now == int(now)
    assert now != start


def test_reads_that_went_away_decide_nothing():
    pairs = [(at_s, f"{key:016x}") for key in range(100) for at_s in range(key % 7, 2400, 20)]
    pairs += [(at_s, "f" * 16) for at_s in range(2400, 3600, 60)]
    seen = SampledReads(Accesses.of(pairs), KeySample(1.0, frozenset(), len(pairs)), 0.0, SPAN_S)
    (decision,) = tune({"price": NamespaceState(60, WIDE, seen)}, 2**30, Prices(91.25, 0.125))
    assert decision.after_s is None
    assert "of the reads of the same time before; the tuner waits" in decision.reason


def test_longer_ttl_that_pays_is_proposed():
    state = NamespaceState(60, WIDE, stationary(2, 100, 3000, 0.5))
    (decision,) = tune({"price": state}, 2**30)
    assert decision.after_s == 120
    assert decision.evidence["hit_ratio_after"] > decision.evidence["hit_ratio_before"] + 0.05


def test_prices_make_a_rarely_read_entry_short_lived():
    """Dear memory of large entries that are hardly ever hit is given back; cheap memory is not."""
    state = NamespaceState(600, WIDE, stationary(3, 3000, 4000, 0.0), entry_bytes=1e6)
    dear, cheap = (tune({"price": state}, 2**40, Prices(gb, 0.125))[0].after_s for gb in (91.25, 1e-6))
    assert dear == 300
    assert cheap is None or cheap > 600
