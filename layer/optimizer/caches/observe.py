"""Whether a change of TTLs did what it should, from what was seen after it. Pure, and without numpy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.caches.probe.result import ServerUse
from optimizer.caches.tuning.usage import NamespaceUsage
from optimizer.core import data_size, figure
from optimizer.policy import CacheTtls

# Of the reads after the change, at least this share has to come from functions that use the new TTLs.
_LEAST_TAKEN_UP = 0.5
_CERTAINTY = 2.0
_MORE = 1.2
_MEMORY_MARGIN = 0.1
_FEW_EVICTIONS_PER_S = 0.01


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of a cache after a change: by namespace under its version, and under any; the servers when it was
    applied and now (None: the policy names none), `seconds` apart."""

    new: Mapping[str, NamespaceUsage]
    any: Mapping[str, NamespaceUsage]
    seconds: float
    server_then: ServerUse | None = None
    server_now: ServerUse | None = None


@dataclass(frozen=True, slots=True)
class CacheHealth:
    """`problems`: by namespace, `""` for what concerns the whole cache; `summary`: one sentence."""

    summary: str
    problems: Mapping[str, str] = field(default_factory=dict)


def judge(evidence: Mapping[str, Any], memory_mb: float, watched: Watched, limits: CacheTtls) -> CacheHealth:
    """Compare with the numbers that the change was proposed on. What should be there and is not counts as unhealthy."""
    problems: dict[str, str] = {}
    said: list[str] = []
    for name, before in evidence["namespaces"].items():
        problem, summary = _namespace(name, before, watched, limits)
        if problem:
            problems[name] = problem
        said.append(problem or summary)
    whole = _server(evidence, memory_mb, watched)
    if whole:
        problems[""] = whole
        said.append(whole)
    return CacheHealth("; ".join(said), problems)


def _namespace(name: str, before: Mapping[str, Any], watched: Watched, limits: CacheTtls) -> tuple[str, str]:
    """The problem, if there is one, and what was seen."""
    seen, everything = watched.new.get(name), watched.any.get(name)
    if everything is None or not everything.reads:
        return f"{name}: no read was reported since the change; missing data counts as unhealthy", ""
    if seen is None or seen.reads < _LEAST_TAKEN_UP * everything.reads:
        share = seen.reads / everything.reads if seen else 0.0
        return f"{name}: only {share:.0%} of the reads used the new TTLs", ""
    if seen.failures > 0.01 * seen.reads:
        return f"{name}: the cache failed {seen.failures:.0f} times in {seen.reads:.0f} reads", ""
    measured = before.get("measured_hit_ratio")
    was = before["hit_ratio_before"] if measured is None else measured
    # A TTL that was shortened for memory may cost the hits that were predicted, and no more.
    wanted = was + min(0.0, before["hit_ratio_after"] - before["hit_ratio_before"]) - limits.max_hit_ratio_drop
    noise = _CERTAINTY * (max(wanted * (1 - wanted), 0.0) / seen.reads) ** 0.5
    if seen.hit_ratio < wanted - noise:
        return f"{name}: {seen.hit_ratio:.1%} of the reads hit, {was:.1%} did before", ""
    then, now = before.get("miss_ms_per_read"), seen.miss_ms_per_read
    if then is not None:
        if now is None:
            return f"{name}: the time at the origin is not reported any more", ""
        expected = then * max(1.0, (1 - before["hit_ratio_after"]) / max(1e-9, 1 - before["hit_ratio_before"]))
        if now > expected * limits.max_miss_load_ratio + 1e-9 and seen.hit_ratio < 1 - _CERTAINTY / seen.reads:
            return f"{name}: {figure(now)} ms at the origin for each read, {figure(then)} ms before", ""
    return "", f"{name}: {seen.hit_ratio:.1%} of {seen.reads:.0f} reads hit, {was:.1%} did before"


def _server(evidence: Mapping[str, Any], memory_mb: float, watched: Watched) -> str:
    before = evidence.get("server")
    if before is None:
        return ""
    then, now = watched.server_then, watched.server_now
    if then is None or now is None:
        return "the server could not be looked at; missing data counts as unhealthy"
    # Counters begin anew with a server; then what it evicted since is all there is.
    evicted = now.evicted - then.evicted if now.evicted >= then.evicted else now.evicted
    per_s = evicted / max(1.0, watched.seconds)
    if per_s > _MORE * before["evicted_per_s"] + _FEW_EVICTIONS_PER_S:
        return f"the server evicts {figure(per_s)} keys a second, {figure(before['evicted_per_s'])} before"
    expected = max(0.0, evidence["memory_bytes_after"] - evidence["memory_bytes_before"])
    grown = now.used_bytes - then.used_bytes
    if grown > expected + _MEMORY_MARGIN * memory_mb * 2**20:
        return f"the server uses {data_size(grown)} more than before, {data_size(expected)} were expected"
    return ""
