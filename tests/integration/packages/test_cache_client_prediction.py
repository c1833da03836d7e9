"""From the client's log records to a hit ratio that a real server then gives."""

import itertools
import json
import random
import time
from collections import Counter

import pytest
from local_account.servers import redis_debian, valkey
from optimizer.caches.tuning.check_records import UnusableRecord
from optimizer.caches.tuning.limits import TtlLimits
from optimizer.caches.tuning.records import merge_samples
from optimizer.caches.tuning.tune import NamespaceState, tune
from optimizer_cache import Bounds, Cache, Namespace, connect

SECONDS = 6.0
LATEST_S = 0.15
# Reads a second and skew of two namespaces; their keys are drawn from the same seed every time.
TRAFFIC = {"page": (1200, 2000, 0.7), "stock": (600, 300, 1.1)}
# On a busy machine reads and TTLs alike take this many times as long.
PACES = (1, 1, 2, 4, 8)


class Late(Exception):
    """The machine was too busy to read at the planned pace, so nothing can be compared."""


def reads(seed):
    """Return (second, namespace, key) in order of time."""
    generator, found = random.Random(seed), []
    for name, (rate, keys, skew) in TRAFFIC.items():
        weights = list(itertools.accumulate(1 / (i + 1) ** skew for i in range(keys)))
        drawn = generator.choices(range(keys), cum_weights=weights, k=round(rate * SECONDS))
        found += [(generator.uniform(0, SECONDS), name, str(key)) for key in drawn]
    return sorted(found)


def bounds(pace):
    """Return the bounds of both namespaces."""
    return Bounds(0.3 * pace, 0.1 * pace, 2.0 * pace)


def drive(url, seed, pace, ttls, counted_from_s=0.0):
    """Read from the server at that pace with published TTLs. Return hit ratios by namespace, and log lines.
    Raises Late."""
    client = connect(url, 1.0)
    client.ping()
    used = Cache(
        client,
        {name: Namespace(bounds(pace), jitter=0, beta=0) for name in TRAFFIC},
        fetch=lambda: json.dumps({"version": 1, "ttl_s": ttls}),
        prefix=f"{time.time_ns()}",
        sample_rate=0.6,
    )
    assert used.read_ttls()
    asked, loads, records = Counter(), Counter(), []
    planned = reads(seed)
    started = time.monotonic()
    for unhurried, name, key in planned:
        at = unhurried * pace
        wait_s = at - (time.monotonic() - started)
        if wait_s > 0.001:
            time.sleep(wait_s)
        elif wait_s < -LATEST_S * pace:
            raise Late(f"{-wait_s:.2f} s behind at second {at:.1f}, at pace {pace}")
        missed = []
        used.read(name, key, lambda missed=missed: missed.append(1))
        if at >= counted_from_s:
            asked[name] += 1
            loads[name] += len(missed)
        records += map(json.loads, used.flush(every_s=3.0 * pace))
    records += map(json.loads, used.flush(0))
    samples = [r["cache_sample"] for r in records if "cache_sample" in r]
    return {name: 1 - loads[name] / asked[name] for name in asked}, samples


def predicted_and_measured(url, pace):
    """Return the hit ratio of each namespace with TTLs tuned from the client's log. Raises Late."""
    _, records = drive(url, 1, pace, {})
    limits = TtlLimits(bounds(pace).min_ttl_s, bounds(pace).max_ttl_s, max_step_ratio=5)
    states = {
        name: NamespaceState(bounds(pace).ttl_s, limits, seen, target_hit_ratio=0.99)
        for name, seen in merge_samples(records).items()
    }
    decisions = {decision.namespace: decision for decision in tune(states, 1300)}
    assert {name for name, decision in decisions.items() if decision.after_s} == set(TRAFFIC)
    ttls = {name: decision.after_s for name, decision in decisions.items()}
    measured, _ = drive(url, 2, pace, ttls, counted_from_s=max(ttls.values()))
    return {name: decision.evidence["hit_ratio_after"] for name, decision in decisions.items()}, measured


@pytest.mark.parametrize("installation", [valkey.VALKEY_9, redis_debian.REDIS_7], ids=["valkey", "redis"])
def test_tuned_ttls_reach_the_predicted_hit_ratio_on_a_server(server, installation):
    url = server(installation).url
    for pace in PACES:
        try:
            predicted, measured = predicted_and_measured(url, pace)
            break
        except Late:
            if pace == PACES[-1]:
                raise
    assert measured == pytest.approx(predicted, abs=0.02), pace


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
def test_merge_rejects_a_record_that_is_no_sample(change):
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
    assert merge_samples([good])["page"].sample.total_accesses == 2
    with pytest.raises(UnusableRecord):
        merge_samples([good | change])


def test_samples_of_different_rates_merge_at_the_lowest_rate():
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
    seen = merge_samples([record(0.5, 2, [hot, hotter, middle, low]), record(0.1, 1, [hot, low])])["page"]
    assert seen.sample.rate == 0.1
    assert seen.sample.exact_keys == {hot}
    assert seen.sample.total_accesses == 100
    assert sorted(seen.accesses.keys) == [low, hot]
    assert len(seen.accesses.time_us) == 4


def test_key_followed_for_a_time_counts_for_that_time():
    def record(start_s, exact):
        return {
            "namespace": "page",
            "ttl_version": 1,
            "ttl_s": 60,
            "from_s": start_s,
            "to_s": start_s + 10,
            "rate": 0.1,
            "total_accesses": 30,
            "exact": len(exact),
            "keys": exact,
            "reads_ms": [[100 * n, i] for i in range(len(exact)) for n in range(12)],
        }

    hot, new = "f" * 16, "e" * 16
    stays, goes = [record(0, [hot]), record(10, [hot, new])], record(30, [hot])
    seen = merge_samples([*stays, record(20, [hot, new]), goes])["page"]
    assert seen.sample.exact_keys == {hot, f"{new}-0!"}
    assert len(seen.accesses.time_us) == 72
    # A key followed for a few reads only counts as one of the others, and its hash is not in the sample.
    seen = merge_samples([*stays, record(20, [hot]), goes])["page"]
    assert seen.accesses.keys == (hot,)
