"""TTLs within bounds, steps and budget, for all inputs."""

import itertools
import math

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.caches.tuning.allocate import BudgetTooSmall, Space, allocate_ttls
from optimizer.caches.tuning.curves import HitCurve
from optimizer.caches.tuning.limits import (
    NoRoom,
    SlidingTtl,
    TtlLimits,
    allowed_range,
)

TTLS = (1.0, 5.0, 20.0, 100.0)
TTL = st.floats(0.1, 1e5)


def curve(ratios, entries):
    zeros = (0.0,) * len(ratios)
    return HitCurve(TTLS[: len(ratios)], tuple(ratios), tuple(entries), zeros, max(ratios), 0.0, 1000.0, 100.0)


@st.composite
def spaces(draw):
    made = {}
    for name in draw(st.sets(st.sampled_from("abcd"), min_size=1)):
        ratios = draw(st.lists(st.floats(0, 1), min_size=4, max_size=4))
        entries = sorted(draw(st.lists(st.floats(0, 500), min_size=4, max_size=4)))
        low = draw(st.sampled_from(TTLS))
        high = draw(st.sampled_from([t for t in TTLS if t >= low]))
        cost, size = draw(st.floats(0, 10)), draw(st.floats(0.1, 10))
        made[name] = Space(curve(ratios, entries), low, high, cost, size)
    return made


@st.composite
def limits(draw):
    low = draw(TTL)
    return TtlLimits(
        min_ttl_s=low,
        max_ttl_s=low * draw(st.floats(1, 1000)),
        max_age_s=draw(st.one_of(st.just(math.inf), TTL)),
        eviction_age_s=draw(st.one_of(st.just(math.inf), TTL)),
        max_step_ratio=draw(st.floats(1, 10)),
        jitter=draw(st.floats(0, 0.5)),
    )


@settings(deadline=None)
@given(spaces(), st.floats(0, 8000))
def test_allocation_is_optimal_within_bounds_and_budget(made, budget):
    combinations = list(
        itertools.product(
            *([(n, t) for t in s.curve.ttl_s if s.min_ttl_s <= t <= s.max_ttl_s] for n, s in made.items())
        )
    )

    def memory(combination):
        return sum(
            s.entry_size * s.curve.live_entries[s.curve.ttl_s.index(dict(combination)[n])] for n, s in made.items()
        )

    def cost(combination):
        return sum(
            s.miss_cost * s.curve.misses_per_s(s.curve.ttl_s.index(dict(combination)[n])) for n, s in made.items()
        )

    slack = 1e-6
    try:
        chosen = allocate_ttls(made, budget)
    except BudgetTooSmall:
        assert min(map(memory, combinations)) > budget - slack
        return
    assert all(made[n].min_ttl_s <= t <= made[n].max_ttl_s for n, t in chosen.ttl_s.items())
    assert chosen.memory <= budget
    assert memory(chosen.ttl_s) == pytest.approx(chosen.memory)
    best = min((cost(c) for c in combinations if memory(c) <= budget - slack), default=math.inf)
    assert chosen.cost_per_s <= best + slack


def test_memory_goes_to_the_namespace_with_costlier_misses():
    alike = curve([0.1, 0.3, 0.5, 0.6], [10, 50, 200, 1000])
    made = {"cheap": Space(alike, 1, 100, miss_cost=1), "dear": Space(alike, 1, 100, miss_cost=20)}
    assert allocate_ttls(made, 1020).ttl_s == {"cheap": 1.0, "dear": 100.0}


def test_shorter_of_two_equally_good_ttls_is_set():
    flat = curve([0.4, 0.5, 0.5, 0.5], [10, 50, 200, 1000])
    assert allocate_ttls({"a": Space(flat, 1, 100)}, 5000).ttl_s == {"a": 5.0}


def test_many_namespaces_are_allocated_within_the_budget():
    made = {
        f"n{i}": Space(curve([0.1, 0.3 + i / 100, 0.5, 0.6], [10, 50 + i, 200, 1000 + 3 * i]), 1, 100)
        for i in range(40)
    }
    assert 7000 <= allocate_ttls(made, 8000).memory <= 8000


@given(TTL, limits(), TTL)
def test_allowed_range_keeps_to_bounds_and_step(current, limit, wanted):
    try:
        allowed = allowed_range(current, limit)
    except NoRoom:
        assert limit.max_age_s / (1 + limit.jitter) < limit.min_ttl_s
        return
    ttl = min(allowed[1], max(allowed[0], wanted))
    ceiling = min(limit.max_ttl_s, limit.max_age_s / (1 + limit.jitter))
    assert max(ttl / current, current / ttl) <= limit.max_step_ratio * (1 + 1e-9)
    if limit.min_ttl_s <= current <= ceiling:
        assert limit.min_ttl_s <= ttl <= ceiling
        assert ttl * (1 + limit.jitter) <= limit.max_age_s * (1 + 1e-9)
    elif current > ceiling:
        assert ttl <= current
    else:
        assert ttl >= current


@given(TTL, limits())
def test_sliding_ttl_is_never_tuned(current, limit):
    with pytest.raises(SlidingTtl):
        allowed_range(current, limit, sliding=True)


def test_ttl_does_not_grow_past_the_eviction_age():
    limit = TtlLimits(1, 3600, eviction_age_s=150, max_step_ratio=4)
    assert allowed_range(100, limit) == (25, 150)
    assert allowed_range(1000, limit) == (250, 1000)


def test_step_ratio_of_one_allows_no_change():
    assert allowed_range(60, TtlLimits(1, 3600, max_step_ratio=1)) == (60, 60)
