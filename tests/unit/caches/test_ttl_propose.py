"""Proposals for a cache from the records of its client, and the reasons for none."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache as remembered
from typing import Any

import pytest
from hypothesis import Phase, given, settings, strategies as st
from local_account.cache_traffic import Application, Memory, Stream, reads
from optimizer import guardrails
from optimizer.caches.probe.result import NodeProbe, ProbeResult, ServerFacts, Stopped
from optimizer.caches.propose import MB, CacheFacts, propose
from optimizer.caches.publish.document import NOTHING, Ttls
from optimizer.core.change import Change, NoChange
from optimizer.guardrails.run import Account
from optimizer.guardrails.verdict import Decision
from optimizer.policy.model import Cache, CacheNamespace, CacheTtls, Mode, Policy
from optimizer_cache import Bounds

from tests.helpers.examples import examples

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STREAMS = (
    Stream("price", Bounds(60, 1, 3600), 300, 0.9, 2.0),
    Stream("page", Bounds(300, 1, 3600), 50_000, 0.5, 1.0),
)
SPACES = (
    CacheNamespace("price", 5, 1800, target_hit_ratio=0.85),
    CacheNamespace("page", 5, 1800, target_hit_ratio=0.85),
)
CACHE = Cache("shop", 16, ("/aws/lambda/shop",), SPACES, "/shop/cache-ttls")


@remembered
def logged(seed: int = 1) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Three hours of a function's samples and metrics."""
    end = NOW.timestamp()
    application = Application(STREAMS, Memory(), end - 3 * 3600)
    lines = [json.loads(line.text) for line in application.run(reads(STREAMS, end - 3 * 3600, end, seed))]
    return [r["cache_sample"] for r in lines if "cache_sample" in r], [r for r in lines if "_aws" in r]


def seen(**other: Any) -> CacheFacts:
    samples, metrics = logged()
    return replace(CacheFacts(NOTHING, samples, metrics), **other)


def probed(**other: Any) -> ProbeResult:
    known = {
        "engine": "valkey", "version": "9", "role": "primary", "cluster": False, "uptime_s": 86400, "keys": 10,
        "keys_with_ttl": 10, "used_bytes": 1, "max_bytes": 100, "policy": "allkeys-lru", "fragmentation": 1.0,
        "hits": 1, "misses": 1, "expired": 0, "evicted": 0, "clients": 1, "max_clients": 100, "connections": 10,
        "rejected_connections": 0, "replicas": 0, "replica_lag_bytes": None, "cpu_s": 1.0,
    }  # fmt: skip
    node = NodeProbe("cache:6379", ServerFacts(**{**known, **other}), 10, Stopped.COMPLETE, 1.0, 1.0, 1.0, 1.0)
    return ProbeResult((node,), {}, ())


def proposed(
    data: CacheFacts | None = None, cache: Cache = CACHE, limits: CacheTtls | None = None
) -> tuple[Change | None, dict[str, NoChange]]:
    found = propose("run-1", cache, limits or CacheTtls(caches=(cache,)), data or seen(), NOW)
    changes = [item for item in found if isinstance(item, Change)]
    assert len(changes) <= 1
    json.dumps([change.to_document() for change in changes], allow_nan=False)
    return (changes or [None])[0], {item.target: item for item in found if isinstance(item, NoChange)}


def test_all_namespaces_of_a_cache_are_one_change() -> None:
    """A target out of reach is reported."""
    change, left = proposed()
    assert change is not None
    assert (change.target, change.before["version"], change.after["version"]) == ("cache/shop", 0, 1)
    assert change.before["ttl_s"] == {"price": 60.0, "page": 300.0}
    assert 60 < change.after["ttl_s"]["price"] <= 120
    numbers = change.evidence["namespaces"]["price"]
    assert numbers["hit_ratio_after"] > numbers["hit_ratio_before"] + 0.05
    assert numbers["measured_hit_ratio"] == pytest.approx(numbers["hit_ratio_before"], abs=0.03)
    assert numbers["reads_per_s"] == pytest.approx(2, rel=0.05)
    assert numbers["miss_ms"] == pytest.approx(40)
    assert change.effect.latency_ms is not None
    assert change.effect.latency_ms.high < 0
    page = change.evidence["namespaces"].get("page") or left["cache/shop/page"].evidence
    assert page["target_infeasible"]
    assert not numbers["target_infeasible"]


def test_proposed_ttl_change_passes_the_guardrails() -> None:
    change, _ = proposed()
    assert change is not None
    policy = Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,)))
    (verdict,) = guardrails.check([change], policy, Account(0), NOW)
    assert verdict.verdict is Decision.AUTOMATIC


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (seen(samples=()), "logged nothing to /aws/lambda/shop"),
        (seen(metrics=()), "logged nothing to /aws/lambda/shop"),
        (seen(samples=[{**logged()[0][0], "rate": 0}]), "cannot be used"),
        (
            seen(samples=[s for s in logged()[0] if s["to_s"] < (NOW - timedelta(hours=2)).timestamp()]),
            "nothing is changed on missing data",
        ),
        (seen(metrics=[{**m, "CacheFailures": 10} for m in logged()[1]]), "do not show the effect of its TTLs"),
    ],
)
def test_missing_or_broken_data_changes_nothing(data: CacheFacts, says: str) -> None:
    change, left = proposed(data)
    assert change is None
    assert says in left["cache/shop"].reason


def test_ttls_that_functions_do_not_use_are_not_changed() -> None:
    change, left = proposed(seen(published=Ttls(4, {"price": 60.0, "page": 300.0})))
    assert change is None
    assert "still use version 0 of the TTLs, not the published version 4" in left["cache/shop/price"].reason
    samples = [{**sample, "ttl_version": 4} for sample in logged()[0]]
    change, left = proposed(seen(published=Ttls(4, {"price": 90.0, "page": 300.0}), samples=samples))
    assert change is None or "price" not in change.evidence["namespaces"]
    assert left["cache/shop/price"].reason.startswith(
        "90 s is published, but the bounds compiled into the functions keep the TTL at 60 s"
    )


def test_ttls_of_other_namespaces_are_published_again() -> None:
    samples = [{**sample, "ttl_version": 4} for sample in logged()[0]]
    change, _ = proposed(seen(published=Ttls(4, {"price": 60.0, "other": 7.0}), samples=samples))
    assert change is not None
    assert change.after["version"] == 5
    assert change.after["ttl_s"]["other"] == 7.0


def test_rolled_back_ttl_is_not_proposed_again() -> None:
    before, _ = proposed()
    assert before is not None
    worse = before.after["ttl_s"]["price"]
    change, _ = proposed(seen(rolled_back={"price": [worse]}))
    if change is not None:
        assert change.after["ttl_s"]["price"] < math.sqrt(60 * worse) * 1.001


def test_ttl_does_not_grow_while_the_server_evicts() -> None:
    change, left = proposed(seen(probe=probed(evicted=9, used_bytes=99)))
    assert change is None or all(change.after["ttl_s"][n] <= ttl for n, ttl in change.before["ttl_s"].items())
    assert "maxmemory" in left["cache/shop"].reason


def test_sliding_ttl_stays_and_its_memory_counts() -> None:
    slides = replace(CACHE, namespaces=(SPACES[0], replace(SPACES[1], sliding=True)))
    change, left = proposed(cache=slides)
    assert change is not None
    assert list(change.evidence["namespaces"]) == ["price"]
    assert "reads prolong" in left["cache/shop/page"].reason
    assert change.evidence["memory_bytes_after"] > sum(
        n["planned_bytes_after"] for n in change.evidence["namespaces"].values()
    )


def test_priced_effect_adds_memory_and_misses() -> None:
    limits = CacheTtls(caches=(CACHE,), usd_gb_month=90.0, usd_million_misses=2.0)
    change, _ = proposed(limits=limits)
    assert change is not None
    assert change.effect.usd_month is not None
    n = change.evidence["namespaces"]["price"]
    if list(change.evidence["namespaces"]) == ["price"]:
        misses = (n["hit_ratio_before"] - n["hit_ratio_after"]) * n["reads_per_s"] * 365 / 12 * 86400
        memory = n["memory_bytes_after"] - n["memory_bytes_before"]
        assert change.effect.usd_month.estimate == pytest.approx(misses * 2e-6 + memory * 90e-9)
    none, _ = proposed()
    assert none is not None
    assert none.effect.usd_month is None


# Each example replays hours of reads: making a counterexample smaller would take longer than reading it.
@settings(max_examples=examples(15), deadline=None, phases=[Phase.generate])
@given(
    low=st.floats(1, 400),
    span=st.floats(1, 100),
    age=st.one_of(st.none(), st.floats(1, 2000)),
    ratio=st.floats(1, 4),
    budget_mb=st.floats(0, 2),
    sliding=st.booleans(),
    worse=st.lists(st.floats(5, 500), max_size=2),
)
def test_proposal_keeps_to_any_policy(
    low: float, span: float, age: float | None, ratio: float, budget_mb: float, sliding: bool, worse: list[float]
) -> None:
    spaces = (
        CacheNamespace("price", low, low * span, max_age_s=age if age is None or age >= low else low),
        replace(SPACES[1], sliding=sliding),
    )
    cache = replace(CACHE, namespaces=spaces, memory_mb=budget_mb)
    limits = CacheTtls(caches=(cache,), max_step_ratio=ratio)
    change, _ = proposed(seen(rolled_back={"price": worse}), cache, limits)
    if change is None:
        return
    before, after = change.before["ttl_s"], change.after["ttl_s"]
    assert not sliding or after["page"] == before["page"]
    for space in spaces:
        old, new = before[space.name], after[space.name]
        if old == new:
            continue
        assert 1 / ratio * 0.999 <= new / old <= ratio * 1.001
        high = min(space.max_ttl_s, space.max_age_s or math.inf)
        assert space.min_ttl_s <= new <= high or (new > old and old < space.min_ttl_s) or (new < old and old > high)
    used = change.evidence["memory_bytes_after"]
    assert used <= budget_mb * MB * 1.000001 or all(after[name] <= ttl for name, ttl in before.items())
    (verdict,) = guardrails.check([change], Policy(mode=Mode.AUTO, cache_ttls=limits), Account(0), NOW)
    assert verdict.verdict is Decision.AUTOMATIC or verdict.rule == "cache_ttls.memory"
