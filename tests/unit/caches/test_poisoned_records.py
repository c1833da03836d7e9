"""One record among many that a stranger wrote: the decisions are those without it."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.caches.propose import CacheFacts, propose
from optimizer.caches.publish.document import Ttls
from optimizer.caches.tuning.read_log import RecordLog
from optimizer.core import Change
from optimizer.policy import Cache, CacheNamespace, CacheTtls
from optimizer_cache.measure import NamespaceMeasure

from tests.helpers.examples import examples

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
END = NOW.timestamp()
CACHE = Cache("shop", 64, ("/aws/lambda/shop",), (CacheNamespace("price", 5, 600),), "/shop/cache-ttls")


@cache
def good_lines() -> tuple[str, ...]:
    """Return what a client logs in half an hour, with a TTL of 60 s that should be longer."""
    generator = random.Random(4)
    lines: list[str] = []
    for minute in range(30):
        start = END - 1800 + 60 * minute
        measure = NamespaceMeasure(start, rate=1.0)
        for second in sorted(generator.uniform(0, 60) for _ in range(120)):
            key, hit = f"k{generator.randrange(100)}", generator.random() < 0.5
            measure.read(key, start + second, hit=hit)
            if not hit:
                measure.loaded(key, 0.04, b"x" * 200, early=False)
        lines += map(json.dumps, measure.flush("price", 3, 60.0, start + 60))
    return tuple(lines)


def decided(*more: str) -> tuple[Any, int]:
    """Return the TTLs that are proposed from the good lines and `more`, and the number of records left out."""
    pages = [{"events": [{"message": line} for line in (*good_lines(), *more)]}]
    paginator = SimpleNamespace(paginate=lambda **request: pages if request["endTime"] > (END - 600) * 1000 else [])
    logs: Any = SimpleNamespace(get_paginator=lambda _name: paginator)
    log = RecordLog(logs)
    read = log.read(CACHE.log_groups, NOW - timedelta(hours=24), NOW, 100)
    facts = CacheFacts(Ttls(3, {"price": 60.0}), read.samples, read.metrics, left_out=read.left_out)
    found = propose("run-1", CACHE, CacheTtls(caches=(CACHE,)), facts, NOW)
    return [item.after["ttl_s"] for item in found if isinstance(item, Change)], read.left_out


def record(kind: str) -> dict[str, Any]:
    """Return a good record of the middle: the sample itself, or the metrics."""
    found = [json.loads(line) for line in good_lines()]
    return next(r for r in found[30:] if (kind in r if kind == "cache_sample" else "Hits" in r))


def line(kind: str, changed: Mapping[str, Any]) -> str:
    whole = record(kind)
    if kind == "cache_sample":
        return json.dumps({**whole, "cache_sample": {**whole["cache_sample"], **changed}})
    return json.dumps({**whole, **changed})


STEERING: list[tuple[str, dict[str, Any]]] = [
    ("cache_sample", {"rate": 1e-12, "keys": [], "reads_ms": [], "total_accesses": 0, "exact": 0}),
    ("cache_sample", {"total_accesses": 2**52}),
    ("cache_sample", {"rate": 0.5, "total_accesses": 2**52}),
    ("cache_sample", {"rate": 0.5, "total_accesses": 10_000, "ttl_version": 9}),
    ("cache_sample", {"rate": 0.5, "total_accesses": 10_000, "ttl_s": 5.0}),
    ("cache_sample", {"from_s": END - 80_000}),
    ("metrics", {"CacheFailures": 2**52}),
    ("metrics", {"Hits": 2**52}),
    ("metrics", {"Misses": 10**6, "Loads": 10**6}),
    ("metrics", {"LoadTime": 1e15}),
    ("metrics", {"EntryBytes": 1e15}),
    ("metrics", {"FromSeconds": END - 80_000}),
    ("metrics", {"Loads": 10**9}),
]


@pytest.mark.parametrize(("kind", "changed"), STEERING, ids=[str(c)[:50] for _, c in STEERING])
def test_record_that_outweighs_all_others_is_left_out(kind: str, changed: dict[str, Any]) -> None:
    assert decided(line(kind, changed)) == ([{"price": 120.0}], 1)


def test_good_records_are_all_used() -> None:
    assert decided() == ([{"price": 120.0}], 0)


NUMBERS = (
    st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([0, 1, 2**52, 2**53, 1e300, END, END - 86_400, -1])
)
VALUES = st.recursive(
    NUMBERS | st.none() | st.booleans() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=examples(30), deadline=None)
@given(st.sampled_from(["cache_sample", "metrics"]), st.data())
def test_one_mutated_record_changes_no_decision(kind: str, data: st.DataObject) -> None:
    whole = record(kind)
    fields = sorted(whole["cache_sample"] if kind == "cache_sample" else whole)
    changed = data.draw(st.dictionaries(st.sampled_from(fields), VALUES, min_size=1, max_size=3))
    assert decided(line(kind, changed))[0] == [{"price": 120.0}]


DEEP = ["[" * 100_000, '{"cache_sample":' * 50_000, "9" * 100_000, '{"OptimizerCache": ' + "1" * 5000 + "}"]


@pytest.mark.parametrize("text", DEEP, ids=["lists", "objects", "a number", "a long number"])
def test_deep_and_large_lines_are_passed_over(text: str) -> None:
    assert decided(text)[0] == [{"price": 120.0}]
