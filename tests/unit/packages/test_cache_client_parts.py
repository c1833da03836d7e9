"""The client library's parts that need no server."""

import collections
import itertools
import json
import math
import random
import threading
import time

import pytest
from hypothesis import given, strategies as st
from local_account.cache_traffic import Memory, TraceTime
from optimizer_cache import Cache, Namespace
from optimizer_cache.early import Entry, ForeignValue, jittered_ms, recompute_early
from optimizer_cache.measure import NamespaceMeasure, fingerprint, lines
from optimizer_cache.sketch import SpaceSaving
from optimizer_cache.ttl_parameter import Bounds, ParameterUnavailable, TtlParameter, UnusableParameter, parse

PRICE = {"price": Bounds(ttl_s=60, min_ttl_s=5, max_ttl_s=300)}


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def published(version, ttl_s):
    return json.dumps({"version": version, "ttl_s": {"price": ttl_s}})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_published_ttl_stays_within_its_bounds(ttl_s):
    assert 5 <= parse(published(1, ttl_s), PRICE).ttl_s["price"] <= 300


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 0, "ttl_s": {}}',
        '{"version": 1, "ttl_s": {"price": "60"}}',
        published(1, True),
    ],
)
def test_parse_rejects_anything_but_a_ttl_document(document):
    with pytest.raises(UnusableParameter):
        parse(document, PRICE)


def test_last_good_ttls_stay_when_the_parameter_fails():
    clock, answers = Clock(), [published(3, 120), ParameterUnavailable("throttled"), "{", None, b"", published(4, 30)]

    def fetch():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    parameter = TtlParameter(PRICE, fetch, clock=clock)
    seen = []
    for _ in range(6):
        read = parameter.read(wait_s=10)
        seen.append((read, parameter.current.version, parameter.current.ttl_s["price"]))
    assert seen == [(True, 3, 120), *[(False, 3, 120)] * 2, *[(True, 3, 120)] * 2, (True, 4, 30)]
    assert parameter.failures == 2


def test_ttls_are_read_without_holding_the_caller():
    """A service that does not answer holds one thread, and nobody starts another."""
    let_go, reads = threading.Event(), []

    def fetch():
        reads.append(1)
        assert let_go.wait(10)
        return published(3, 120)

    clock = Clock()
    parameter = TtlParameter(PRICE, fetch, clock=clock)
    for _ in range(5):
        assert parameter.ttls().version == 0
        clock.now += 70
    assert not parameter.read(wait_s=0.01)
    let_go.set()
    assert parameter.read(wait_s=10)
    assert (parameter.current.version, len(reads)) == (3, 1)


def test_parameter_that_fails_is_read_more_and_more_seldom():
    clock, reads = Clock(), []

    def fetch():
        reads.append(clock.now)
        raise LookupError("the getter of another library failed")

    parameter = TtlParameter(PRICE, fetch, poll_s=60, clock=clock)
    for _ in range(1800):
        parameter.ttls()
        while parameter.is_reading():
            time.sleep(0.0001)
        clock.now += 1
    between = [round(b - a) for a, b in itertools.pairwise(reads)]
    assert [120 <= between[0] <= 133, 240 <= between[1] <= 265, 480 <= between[2] <= 529] == [True] * 3
    assert all(600 <= gap <= 661 for gap in between[3:])
    assert parameter.failures == len(reads)


def test_parameter_is_read_once_in_its_poll_interval():
    clock, reads = Clock(), []
    parameter = TtlParameter(PRICE, lambda: reads.append(1), poll_s=60, clock=clock)
    for _ in range(59):
        parameter.ttls()
        while parameter.is_reading():
            time.sleep(0.0001)
        clock.now += 1
    assert len(reads) == 1


def test_parameter_that_is_given_to_a_cache_is_in_force():
    """An application on a clock of its own brings how TTLs are read."""
    clock = Clock()
    spaces = {"price": Namespace(Bounds(60, 5, 900), encode=str.encode, decode=bytes.decode)}
    cache = Cache(TraceTime(Memory(), clock), spaces, clock=clock)
    cache.parameter = TtlParameter({"price": Bounds(120, 5, 900)})
    assert cache.read("price", "k", lambda: "v") == "v"
    counts, _ = map(json.loads, cache.flush(0.0))
    assert counts["TtlSeconds"] == 120


def test_compiled_in_ttls_hold_without_a_parameter():
    assert TtlParameter(PRICE).ttls().ttl_s == {"price": 60}


@given(st.floats(0.01, 1e6), st.floats(0, 0.9), st.floats(0, 1, exclude_max=True))
def test_jitter_never_lengthens_a_ttl(ttl_s, jitter, draw):
    assert 1 <= jittered_ms(ttl_s, jitter, draw) <= max(1, round(ttl_s * 1000))


@pytest.mark.parametrize(("left_s", "expected"), [(0.4, math.exp(-1)), (2.0, math.exp(-5)), (0.0, 1.0)])
def test_early_recomputation_follows_its_exponential_law(left_s, expected):
    generator = random.Random(5)
    early = sum(recompute_early(left_s, 0.4, 1.0, 1 - generator.random()) for _ in range(20_000))
    assert early / 20_000 == pytest.approx(expected, abs=0.01)


@given(st.binary())
def test_entry_is_read_as_it_was_stored(payload):
    assert Entry.unpack(Entry(1e9, 0.5, payload).pack()) == Entry(1e9, 0.5, payload)


@pytest.mark.parametrize("stored", [b"", b"o1", b"{'json': 1, 'and': 'longer than a header'}"])
def test_unpack_rejects_a_value_of_another_writer(stored):
    with pytest.raises(ForeignValue):
        Entry.unpack(stored)


@given(st.lists(st.integers(0, 30), max_size=400), st.integers(1, 12))
def test_sketch_holds_every_key_busier_than_one_slot(keys, capacity):
    sketch, exact = SpaceSaving(capacity), collections.Counter(keys)
    for key in keys:
        sketch.add(key)
    held = dict(sketch.top(capacity))
    assert len(held) <= capacity
    assert sum(held.values()) == len(keys)
    for key, count in exact.items():
        if count > len(keys) / capacity:
            assert key in sketch
        if key in held:
            assert count <= held[key] <= count + len(keys) / capacity


def sample_of(keys, **options):
    measure = NamespaceMeasure(100.0, **options)
    for i, key in enumerate(keys):
        measure.read(key, 100.0 + i / 100, hit=False)
    return measure.flush("page", 3, 60.0, 200.0)[1]["cache_sample"]


@given(st.integers(0, 2**32), st.integers(1, 3000), st.sampled_from([0.1, 0.5, 1.0]))
def test_sample_is_bounded_and_complete_for_its_keys(seed, reads, rate):
    generator = random.Random(seed)
    keys = [f"k{int(generator.paretovariate(0.7)) % 500}" for _ in range(reads)]
    sample = sample_of(keys, rate=rate, busiest=5, most_reads=400)
    assert sample["total_accesses"] == reads
    assert len(sample["reads_ms"]) <= 400
    assert sample["rate"] <= rate
    followed = set(sample["keys"][: sample["exact"]])
    expected = [
        k for k in (f"{fingerprint(key):016x}" for key in keys) if k in followed or int(k, 16) < sample["rate"] * 2**64
    ]
    assert [sample["keys"][index] for _, index in sample["reads_ms"]] == expected


def test_sample_names_no_key():
    assert "secret" not in lines([{"cache_sample": sample_of(["secret-customer"] * 20)}])[0]


def test_full_sample_fits_a_log_event():
    sample = sample_of([f"key-{i}" for i in range(200_000)], rate=1.0)
    assert len(lines([{"cache_sample": sample}])[0]) < 256 * 1024


def test_value_that_changed_between_two_loads_is_counted():
    measure = NamespaceMeasure(0.0, rate=1.0)
    for payload in (b"1", b"1", b"2"):
        measure.loaded("a", 0.01, payload, early=False)
    metrics = measure.flush("page", 1, 60.0, 60.0)[0]
    assert (metrics["SampledRefills"], metrics["SampledChanges"]) == (2, 1)
    assert metrics["LoadTime"] == pytest.approx(10)


def test_formerly_busy_keys_give_way():
    sketch = SpaceSaving(4)
    for key in "aaaaaaaa":
        sketch.add(key)
    for _ in range(4):
        sketch.halve()
        sketch.add("b")
    assert sketch.top(1)[0][0] == "b"
