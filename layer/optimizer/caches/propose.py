"""Propose the change of one cache's TTLs, or give the reasons for none. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from optimizer.caches.probe import ProbeResult, ServerFacts, Weight, advise
from optimizer.caches.publish.document import Ttls
from optimizer.caches.tuning import (
    NamespaceUsage,
    SampledReads,
    TtlLimits,
    UnusableRecord,
    expected_effect,
    merge_samples,
    sum_usage,
)
from optimizer.caches.tuning.tune import NamespaceState, Prices, TtlDecision, tune
from optimizer.core import Change, NoChange, Risk, Tuner
from optimizer.policy import Cache, CacheNamespace, CacheTtls

MB = 1024 * 1024
# Memory of an entry beside its value: the key's name, its place in two tables of the server, the client's header.
OVERHEAD_BYTES = 130.0
_STALE = timedelta(hours=1)
# In a cache that fails more often than this, misses do not tell the effect of a TTL.
_MOST_FAILURES = 0.01
_RECENT_S = 900.0
_ENOUGH_KEYS = 100
_NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """The facts that were read of one cache.

    `published` holds the TTLs in force; `samples` and `metrics` are the cache client's records. `probe` is None where
    the policy names no server. `rolled_back` lists the TTLs that were rolled back lately, by namespace. `most_ttl_s` is
    the longest TTL that the publisher can observe. `left_out`: records that the client cannot have written.
    """

    published: Ttls
    samples: Sequence[Mapping[str, Any]]
    metrics: Sequence[Mapping[str, Any]]
    probe: ProbeResult | None = None
    rolled_back: Mapping[str, Sequence[float]] = field(default_factory=dict)
    most_ttl_s: float = math.inf
    left_out: int = 0


def propose(run_id: str, cache: Cache, limits: CacheTtls, facts: CacheFacts, now: datetime) -> list[Change | NoChange]:
    """Return at most one Change, of all namespaces together, and the reasons for everything that does not change.

    There is a NoChange for each namespace that keeps its TTL, and one for each piece of advice. On missing data nothing
    changes.
    """
    results: list[Change | NoChange] = [
        NoChange(
            run_id,
            Tuner.CACHE_TTLS,
            _target(cache),
            f"{piece.about}: {piece.message}",
            {"advice": piece.rule, "weight": piece.weight.value, "notice": piece.weight is not Weight.NOTE},
        )
        for piece in (advise(facts.probe) if facts.probe else ())
    ]
    if facts.left_out:
        groups = ", ".join(cache.log_groups)
        number = f"{facts.left_out} {'record' if facts.left_out == 1 else 'records'}"
        why = f"Left out {number} in {groups}: the cache client cannot have written them, or one outweighs all others."
        results.append(NoChange(run_id, Tuner.CACHE_TTLS, _target(cache), why, {"notice": True}))
    unusable = _unusable(cache, facts, now)
    if unusable:
        return [*results, NoChange(run_id, Tuner.CACHE_TTLS, _target(cache), unusable, {"notice": True})]
    names = {space.name for space in cache.namespaces}
    observed = merge_samples(sample for sample in facts.samples if sample.get("namespace") in names)
    used = {name: usage for name, usage in sum_usage(facts.metrics).items() if name in names}
    states: dict[str, NamespaceState] = {}
    obstacles: dict[str, str] = {}
    for space in cache.namespaces:
        if space.name not in observed:
            why = f"No change: the cache client reported no read of {space.name}."
            results.append(NoChange(run_id, Tuner.CACHE_TTLS, f"{_target(cache)}/{space.name}", why))
            continue
        ttl_s, obstacles[space.name] = _in_force(space.name, facts)
        if not obstacles[space.name] and facts.most_ttl_s < max(space.min_ttl_s, ttl_s / limits.max_step_ratio):
            obstacles[space.name] = (
                f"The AppConfig strategy bakes {2 * facts.most_ttl_s:g} s, less than twice any TTL within one step. "
                "Choose a strategy with a longer bake time."
            )
        steps = replace(limits, max_step_ratio=1.0) if obstacles[space.name] else limits
        states[space.name] = _state(space, ttl_s, observed[space.name], used.get(space.name), steps, facts)
    decisions = tune(_with_costs(states, used), cache.memory_mb * MB, _prices(limits))
    changed = {d.namespace: d for d in decisions if d.after_s not in (None, d.before_s) and not obstacles[d.namespace]}
    for decision in decisions:
        if decision.namespace not in changed:
            reason = obstacles[decision.namespace] or decision.reason
            notice = bool(obstacles[decision.namespace] or decision.evidence.get("target_infeasible"))
            target = f"{_target(cache)}/{decision.namespace}"
            results.append(NoChange(run_id, Tuner.CACHE_TTLS, target, reason, {**decision.evidence, "notice": notice}))
    if changed:
        results.append(_change(run_id, cache, limits, facts, decisions, changed, used))
    return results


def _unusable(cache: Cache, facts: CacheFacts, now: datetime) -> str:
    """Return why nothing can be decided from the records; empty if something can."""
    groups = ", ".join(cache.log_groups)
    names = {space.name for space in cache.namespaces}
    samples = [sample for sample in facts.samples if sample.get("namespace") in names]
    if not samples or not facts.metrics:
        return f"The cache client logged nothing to {groups}; nothing is changed on missing data."
    try:
        merge_samples(samples)
    except UnusableRecord as error:
        return f"A record in {groups} cannot be used: {error}."
    newest = max(float(sample["to_s"]) for sample in samples)
    if newest < (now - _STALE).timestamp():
        minutes = (now.timestamp() - newest) / 60
        return (
            f"The newest record in {groups} is {minutes:.0f} minutes old (limit {_STALE.seconds // 60}); "
            "nothing is changed on missing data."
        )
    used = sum_usage(facts.metrics).values()
    failures, reads = sum(usage.failures for usage in used), sum(usage.reads for usage in used)
    if failures > _MOST_FAILURES * reads:
        return (
            f"The cache failed {failures:.0f} times in {reads:.0f} reads (limit {_MOST_FAILURES:.0%}), "
            "so its hit ratios do not show the effect of its TTLs."
        )
    return ""


def _in_force(name: str, facts: CacheFacts) -> tuple[float, str]:
    """Return the TTL that most reads used last, and why it cannot change now (empty if it can)."""
    samples = [sample for sample in facts.samples if sample["namespace"] == name]
    since = max(float(sample["to_s"]) for sample in samples) - _RECENT_S
    reads: Counter[tuple[int, float]] = Counter()
    for sample in samples:
        if float(sample["to_s"]) >= since:
            reads[int(sample["ttl_version"]), float(sample["ttl_s"])] += int(sample["total_accesses"])
    version, ttl_s = reads.most_common(1)[0][0]
    if version != facts.published.version:
        return (
            ttl_s,
            f"Most reads still use version {version} of the TTLs, not the published version {facts.published.version}.",
        )
    published = facts.published.ttl_s.get(name)
    if published is not None and published != ttl_s:
        return ttl_s, (
            f"{published:g} s is published, but the bounds compiled into the functions keep the TTL at {ttl_s:g} s."
        )
    return ttl_s, ""


def _state(
    space: CacheNamespace,
    ttl_s: float,
    observed: SampledReads,
    usage: NamespaceUsage | None,
    limits: CacheTtls,
    facts: CacheFacts,
) -> NamespaceState:
    least, most = space.min_ttl_s, max(space.min_ttl_s, min(space.max_ttl_s, facts.most_ttl_s))
    for rolled_back_s in facts.rolled_back.get(space.name, ()):
        # Half the way to a TTL that was rolled back may still be better than the TTL in force.
        halfway = math.sqrt(rolled_back_s * ttl_s)
        if rolled_back_s > ttl_s:
            most = max(least, min(most, halfway))
        elif rolled_back_s < ttl_s:
            least = min(most, max(least, halfway))
    payload = usage.payload_bytes if usage else None
    return NamespaceState(
        current_ttl_s=ttl_s,
        limits=TtlLimits(
            least,
            most,
            max_age_s=space.max_age_s or math.inf,
            eviction_age_s=ttl_s if _is_evicting(facts.probe) else math.inf,
            max_step_ratio=limits.max_step_ratio,
        ),
        sampled=observed,
        entry_bytes=_entry_bytes(space.name, payload, facts.probe),
        sliding=space.sliding,
        target_hit_ratio=space.target_hit_ratio,
    )


def _prices(limits: CacheTtls) -> Prices | None:
    """Return the prices to decide by; with one of the two alone, misses and memory cannot be compared."""
    if limits.usd_gb_month is None or limits.usd_million_misses is None:
        return None
    return Prices(limits.usd_gb_month, limits.usd_million_misses)


def _with_costs(states: Mapping[str, NamespaceState], used: Mapping[str, NamespaceUsage]) -> dict[str, NamespaceState]:
    """Return the states with the cost of a miss: its time at the origin if all are known, else 1 for each."""
    costs = {name: used[name].load_ms if name in used else None for name in states}
    if not all(costs.values()):
        return dict(states)
    return {name: replace(state, miss_cost=costs[name] or 1.0) for name, state in states.items()}


def _change(
    run_id: str,
    cache: Cache,
    limits: CacheTtls,
    facts: CacheFacts,
    decisions: Sequence[TtlDecision],
    changed: Mapping[str, TtlDecision],
    used: Mapping[str, NamespaceUsage],
) -> Change:
    before = {**facts.published.ttl_s, **{d.namespace: d.before_s for d in decisions}}
    after = {**before, **{name: d.after_s for name, d in changed.items() if d.after_s is not None}}
    spaces = {name: _numbers(decision, used.get(name)) for name, decision in changed.items()}
    planned = {
        when: sum(float(decision.evidence[f"planned_bytes_{when}"]) for decision in decisions)
        for when in ("before", "after")
    }
    version = facts.published.version
    grows = any(after[name] > before[name] for name in spaces)
    return Change(
        run_id=run_id,
        tuner=Tuner.CACHE_TTLS,
        action="set_ttls",
        target=_target(cache),
        before={"version": version, "ttl_s": before},
        after={"version": version + 1, "ttl_s": after},
        reason="; ".join(f"{name}: {decision.reason}" for name, decision in changed.items()),
        undo={"ttl_s": before},
        # A longer TTL serves older values; a shorter one at worst costs loads until it is rolled back.
        risk=Risk.MEDIUM if grows else Risk.LOW,
        evidence={
            "namespaces": spaces,
            "memory_bytes_before": planned["before"],
            "memory_bytes_after": planned["after"],
            "server": _server(facts.probe),
        },
        effect=expected_effect(spaces, limits),
    )


def _numbers(decision: TtlDecision, usage: NamespaceUsage | None) -> dict[str, Any]:
    seconds = usage.to_s - usage.from_s if usage else 0.0
    return {
        **decision.evidence,
        "reads": usage.reads if usage else 0.0,
        "reads_per_s": usage.reads / seconds if usage and seconds > 0 else 0.0,
        "measured_hit_ratio": usage.hit_ratio if usage else None,
        "miss_ms": usage.load_ms if usage else None,
        "miss_ms_per_read": usage.miss_ms_per_read if usage else None,
        "change_share": usage.change_share if usage else None,
    }


def _entry_bytes(name: str, payload: float | None, probe: ProbeResult | None) -> float:
    """Return the memory of one entry: measured on the server if enough keys were seen there, else estimated."""
    measured = probe.namespaces.get(name) if probe else None
    if measured is not None and measured.entry_bytes and measured.keys_seen >= _ENOUGH_KEYS:
        return measured.entry_bytes
    return (payload or 0.0) + OVERHEAD_BYTES


def _facts(probe: ProbeResult | None) -> list[ServerFacts]:
    return [node.facts for node in probe.nodes] if probe else []


def _is_evicting(probe: ProbeResult | None) -> bool:
    """Return True if a server is full and evicts, so that a longer TTL gains nothing."""
    return any(
        node.evicted > 0 and node.max_bytes > 0 and node.used_bytes >= _NEARLY_FULL * node.max_bytes
        for node in _facts(probe)
    )


def _server(probe: ProbeResult | None) -> dict[str, Any] | None:
    """Return the figures of all servers that an observation compares with; None without a probe."""
    if probe is None:
        return None
    nodes = _facts(probe)
    return {
        "evicted_per_s": sum(node.evicted / max(1, node.uptime_s) for node in nodes),
        "used_bytes": sum(node.used_bytes for node in nodes),
        "max_bytes": sum(node.max_bytes for node in nodes),
    }


def _target(cache: Cache) -> str:
    return f"cache/{cache.name}"
