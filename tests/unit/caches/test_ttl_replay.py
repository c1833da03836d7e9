"""The replay of accesses, and estimates from a sample."""

import random

import pytest
from hypothesis import given, strategies as st
from optimizer.caches.tuning.curves import find_knee, hit_curve, is_infeasible, ttl_grid
from optimizer.caches.tuning.replay import Accesses, NoAccesses, TtlReplay
from optimizer.caches.tuning.sample import KeySample

PAIRS = st.lists(
    st.tuples(st.integers(0, 200).map(lambda t: t / 4), st.sampled_from("abcdefgh")), min_size=1, max_size=80
)


def slow_replay(pairs, ttl_s, end_s):
    expiry, hits, seconds = {}, 0, 0.0
    for at, key in sorted(pairs):
        if at < expiry.get(key, -1.0):
            hits += 1
        else:
            expiry[key] = at + ttl_s
            seconds += min(ttl_s, end_s - at)
    return hits, seconds


def zipf(seed, keys=3000, reads=30_000, span_s=1000.0):
    generator = random.Random(seed)
    weights = [1 / (i + 1) ** 0.8 for i in range(keys)]
    names = generator.choices([f"k{i}" for i in range(keys)], weights, k=reads)
    return sorted((generator.uniform(0, span_s), name) for name in names)


@given(PAIRS, st.sampled_from([0.25, 1.0, 3.5, 10.0, 49.0, 1000.0]))
def test_fast_replay_equals_a_cache_read_by_read(pairs, ttl_s):
    end_s = 60.0
    totals = TtlReplay(Accesses.of(pairs), end_s=end_s).run(ttl_s)
    hits, seconds = slow_replay(pairs, ttl_s, end_s)
    assert totals.hits.sum() == hits
    assert totals.entry_s.sum() == pytest.approx(seconds)


@given(PAIRS)
def test_entries_that_never_expire_miss_once_for_each_key(pairs):
    curve = hit_curve(pairs, [1.0])
    assert curve.reachable_hit_ratio == pytest.approx(1 - len({key for _, key in pairs}) / len(pairs))


@given(PAIRS, st.floats(0, 40))
def test_warm_up_is_replayed_and_not_counted(pairs, warm_up_s):
    start = min(time for time, _ in pairs)
    counted = [time for time, _ in pairs if round((time - start) * 1e6) >= round(warm_up_s * 1e6)]
    if not counted:
        with pytest.raises(NoAccesses):
            hit_curve(pairs, [1.0], warm_up_s=warm_up_s)
        return
    curve = hit_curve(pairs, [1.0], warm_up_s=warm_up_s)
    assert curve.accesses == len(counted)
    assert 0 <= curve.hit_ratio[0] <= 1


def test_access_exactly_one_ttl_after_the_store_is_a_miss():
    curve = hit_curve([(0.1, "a"), (10.1, "a"), (20.0, "a")], [10.0])
    assert curve.hit_ratio == (pytest.approx(1 / 3),)


def test_curve_needs_an_access():
    with pytest.raises(NoAccesses):
        hit_curve([], [10.0])


def test_sample_gives_the_full_curve_within_its_stated_error():
    pairs = zipf(1)
    ttls = [3.0, 30.0, 300.0]
    whole = hit_curve(pairs, ttls)
    counts: dict[str, int] = {}
    for _, key in pairs:
        counts[key] = counts.get(key, 0) + 1
    exact = frozenset(sorted(counts, key=lambda key: -counts[key])[:100])
    outside = 0
    for seed in range(20):
        generator = random.Random(seed)
        kept = exact | {key for key in counts if generator.random() < 0.1}
        sample = KeySample(0.1, exact, len(pairs))
        curve = hit_curve([pair for pair in pairs if pair[1] in kept], ttls, sample=sample)
        assert curve.accesses == pytest.approx(len(pairs))
        for guess, error, actual in zip(curve.hit_ratio, curve.hit_ratio_error, whole.hit_ratio, strict=True):
            assert abs(guess - actual) < 5 * error
            outside += abs(guess - actual) > 2 * error
    assert outside <= 9  # of 60, 3 expected


def test_sample_of_everything_has_no_error():
    pairs = zipf(2, keys=50, reads=500)
    curve = hit_curve(pairs, [5.0], sample=KeySample(1.0, frozenset(), len(pairs)))
    assert curve == hit_curve(pairs, [5.0])


@pytest.mark.parametrize("rate", [0, -0.1, 1.01])
def test_sample_without_a_rate_is_rejected(rate):
    with pytest.raises(ValueError, match="rate"):
        KeySample(rate, frozenset(), 10)


def test_knee_is_where_longer_ttls_stop_paying():
    pairs = [(float(t), "a") for t in range(0, 100, 2)] + [(float(t), "b") for t in range(0, 100, 10)]
    assert find_knee(hit_curve(pairs, [1.0, 3.0, 30.0, 90.0, 99.0]), share=0.85) == 30.0


def test_target_above_endless_entries_is_infeasible():
    curve = hit_curve([(float(t), str(t % 7)) for t in range(14)], [100.0])
    assert curve.reachable_hit_ratio == 0.5
    assert is_infeasible(curve, 0.85)
    assert not is_infeasible(curve, 0.5)


@given(st.floats(0.05, 100), st.floats(1, 1000))
def test_ttl_grid_holds_both_bounds_and_stays_within(low, factor):
    grid = ttl_grid(low, low * factor)
    assert grid[0] == low
    assert grid[-1] == low * factor
    assert list(grid) == sorted(set(grid))
