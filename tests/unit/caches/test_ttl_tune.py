"""Decisions for all namespaces of a cache."""

import random

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.caches.tuning.limits import TtlLimits
from optimizer.caches.tuning.records import SampledReads
from optimizer.caches.tuning.replay import Accesses
from optimizer.caches.tuning.sample import KeySample
from optimizer.caches.tuning.tune import NamespaceState, tune

from tests.helpers.examples import examples

WIDE = TtlLimits(1, 300, max_step_ratio=1000)


def observed(seed, keys=200, reads=3000, span_s=900.0):
    generator = random.Random(seed)
    weights = [1 / (i + 1) for i in range(keys)]
    pairs = [
        (generator.uniform(0, span_s), k)
        for k in generator.choices([f"{i:016x}" for i in range(keys)], weights, k=reads)
    ]
    return SampledReads(Accesses.of(pairs), KeySample(1.0, frozenset(), len(pairs)), 0.0, span_s)


SEEN = [observed(seed, keys) for seed, keys in enumerate((20, 200, 2000))]


@st.composite
def states(draw):
    low = draw(st.floats(0.5, 50))
    limits = TtlLimits(
        min_ttl_s=low,
        max_ttl_s=low * draw(st.floats(1, 50)),
        max_age_s=draw(st.sampled_from([float("inf"), 30.0, 200.0])),
        max_step_ratio=draw(st.floats(1, 8)),
        jitter=draw(st.sampled_from([0.0, 0.1])),
    )
    return NamespaceState(
        current_ttl_s=draw(st.floats(0.5, 300)),
        limits=limits,
        sampled=draw(st.sampled_from([None, *SEEN])),
        miss_cost=draw(st.floats(0.1, 10)),
        entry_bytes=draw(st.floats(10, 5000)),
        sliding=draw(st.booleans()),
        target_hit_ratio=draw(st.sampled_from([None, 0.85])),
    )


@settings(max_examples=examples(40), deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), states(), min_size=1), st.floats(0, 1e6))
def test_decisions_keep_to_bounds_step_and_budget(namespaces, budget):
    """No sliding TTL is tuned."""
    decisions = tune(namespaces, budget)
    assert [d.namespace for d in decisions] == list(namespaces)
    memory, crowded = 0.0, False
    for decision in decisions:
        state = namespaces[decision.namespace]
        limits, before, after = state.limits, state.current_ttl_s, decision.after_s
        if after is None:
            memory += decision.evidence.get(
                "memory_bytes_before", 0.0
            )  # namespaces that cannot be tuned show no memory
            continue
        assert not state.sliding
        assert state.sampled is not None
        assert max(after / before, before / after) <= limits.max_step_ratio * (1 + 1e-9)
        ceiling = min(limits.max_ttl_s, limits.max_age_s / (1 + limits.jitter))
        if limits.min_ttl_s <= before <= ceiling:
            assert limits.min_ttl_s <= after <= ceiling
        memory += decision.evidence["memory_bytes_after"]
        crowded |= "a step towards" in decision.reason
    changed = any(d.after_s is not None for d in decisions)
    assert not changed or crowded or memory <= budget * (1 + 1e-9)


def test_unreachable_target_does_not_drive_the_ttl_up():
    """The decision calls it infeasible."""
    state = NamespaceState(60, WIDE, SEEN[2], target_hit_ratio=0.99)
    (decision,) = tune({"page": state}, 1e9)
    assert decision.evidence["target_infeasible"]
    assert "no TTL reaches the target of 99%" in decision.reason
    assert (decision.after_s or 60) <= decision.evidence["knee_s"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (NamespaceState(60, WIDE, SEEN[0], sliding=True), "prolong"),
        (NamespaceState(60, WIDE, None), "0 reads"),
        (NamespaceState(60, WIDE, observed(9, reads=500)), "500 reads"),
        (NamespaceState(299, WIDE, observed(9, span_s=300.0)), "seen for 300 s"),
        (NamespaceState(60, TtlLimits(50, 300, max_age_s=20), SEEN[0]), "freshness"),
    ],
)
def test_namespace_that_cannot_be_judged_names_the_reason(state, why):
    (decision,) = tune({"page": state}, 1e9)
    assert decision.after_s is None
    assert why in decision.reason


def test_ttl_past_its_freshness_shrinks_even_at_a_loss_of_hits():
    state = NamespaceState(200, TtlLimits(1, 300, max_age_s=50, max_step_ratio=2), SEEN[1])
    (decision,) = tune({"page": state}, 1e9)
    assert decision.after_s == 100


def test_cache_over_its_budget_takes_a_step_towards_it():
    state = NamespaceState(100, TtlLimits(1, 300, max_step_ratio=2), SEEN[2], entry_bytes=1000)
    (decision,) = tune({"page": state}, 10)
    assert decision.after_s == 50
    assert "a step towards the memory budget" in decision.reason


def test_good_ttl_needs_no_change():
    first = tune({"page": NamespaceState(60, WIDE, SEEN[0])}, 1e9)[0].after_s
    assert first is not None
    assert tune({"page": NamespaceState(first, WIDE, SEEN[0])}, 1e9)[0].after_s is None
