"""Judge a change of TTLs by the records and servers after it. Pure, and without numpy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.caches.probe.result import ServerUse
from optimizer.caches.tuning.usage import NamespaceUsage
from optimizer.core import data_size, figure
from optimizer.policy import CacheTtls

# At least this share of the reads after the change must come from functions that use the new TTLs.
_LEAST_UPTAKE = 0.5
_CERTAINTY = 2.0
_MORE = 1.2
_MEMORY_MARGIN = 0.1
_FEW_EVICTIONS_PER_S = 0.01


@dataclass(frozen=True, slots=True)
class CacheUse:
    """The use of a cache after a change.

    `new` is the use of each namespace under the change's version, `any` under any version. The servers were read when
    the change was applied and again `seconds` later; None where the policy names none.
    """

    new: Mapping[str, NamespaceUsage]
    any: Mapping[str, NamespaceUsage]
    seconds: float
    server_then: ServerUse | None = None
    server_now: ServerUse | None = None


@dataclass(frozen=True, slots=True)
class CacheHealth:
    """The verdict on a change: problems by namespace (`""` for the whole cache), and a summary of one sentence."""

    summary: str
    problems: Mapping[str, str] = field(default_factory=dict)


def judge(evidence: Mapping[str, Any], memory_mb: float, use: CacheUse, limits: CacheTtls) -> CacheHealth:
    """Compare the use after a change with the evidence of its proposal. Missing data counts as unhealthy."""
    problems: dict[str, str] = {}
    parts: list[str] = []
    for name, before in evidence["namespaces"].items():
        problem, summary = _namespace(name, before, use, limits)
        if problem:
            problems[name] = problem
        parts.append(problem or summary)
    server_problem = _server(evidence, memory_mb, use)
    if server_problem:
        problems[""] = server_problem
        parts.append(server_problem)
    return CacheHealth("; ".join(parts), problems)


def _namespace(name: str, before: Mapping[str, Any], use: CacheUse, limits: CacheTtls) -> tuple[str, str]:
    """Return the problem or an empty string, and a summary where there is no problem."""
    seen, everything = use.new.get(name), use.any.get(name)
    if everything is None or not everything.reads:
        return f"{name}: no read was reported since the change; missing data counts as unhealthy", ""
    if seen is None or seen.reads < _LEAST_UPTAKE * everything.reads:
        share = seen.reads / everything.reads if seen else 0.0
        return f"{name}: only {share:.0%} of the reads used the new TTLs (at least {_LEAST_UPTAKE:.0%} required)", ""
    if seen.failures > 0.01 * seen.reads:
        return f"{name}: the cache failed {seen.failures:.0f} times in {seen.reads:.0f} reads (at most 1% allowed)", ""
    measured = before.get("measured_hit_ratio")
    was = before["hit_ratio_before"] if measured is None else measured
    # A TTL that was shortened to save memory may cost the hits that were predicted, and no more.
    predicted = was + min(0.0, before["hit_ratio_after"] - before["hit_ratio_before"])
    # Near 100% a drop by a few points multiplies the misses, which is what the origin sees.
    more_misses = (limits.max_miss_load_ratio - 1) * max(0.0, 1 - predicted)
    wanted = predicted - min(limits.max_hit_ratio_drop, max(0.0, more_misses))
    least = wanted - _CERTAINTY * (max(wanted * (1 - wanted), 0.0) / seen.reads) ** 0.5
    if seen.hit_ratio < least:
        return f"{name}: {seen.hit_ratio:.1%} of the reads hit, {was:.1%} before; at least {least:.1%} required", ""
    then, now = before.get("miss_ms_per_read"), seen.miss_ms_per_read
    if then is not None:
        if now is None:
            return f"{name}: the time at the origin is no longer reported; missing data counts as unhealthy", ""
        expected = then * max(1.0, (1 - before["hit_ratio_after"]) / max(1e-9, 1 - before["hit_ratio_before"]))
        most = expected * limits.max_miss_load_ratio
        if now > most + 1e-9 and seen.hit_ratio < 1 - _CERTAINTY / seen.reads:
            return (
                f"{name}: {figure(now)} ms at the origin for each read, {figure(then)} ms before; "
                f"at most {figure(most)} ms allowed",
                "",
            )
    return "", f"{name}: {seen.hit_ratio:.1%} of {seen.reads:.0f} reads hit, {was:.1%} before"


def _server(evidence: Mapping[str, Any], memory_mb: float, use: CacheUse) -> str:
    before = evidence.get("server")
    if before is None:
        return ""
    then, now = use.server_then, use.server_now
    if then is None or now is None:
        return "the server could not be read; missing data counts as unhealthy"
    # Counters start at 0 with a restarted server, so only its evictions since then are known.
    evicted = now.evicted - then.evicted if now.evicted >= then.evicted else now.evicted
    per_s = evicted / max(1.0, use.seconds)
    most_per_s = _MORE * before["evicted_per_s"] + _FEW_EVICTIONS_PER_S
    if per_s > most_per_s:
        return (
            f"the server evicts {figure(per_s)} keys a second, {figure(before['evicted_per_s'])} before; "
            f"at most {figure(most_per_s)} allowed"
        )
    expected = max(0.0, evidence["memory_bytes_after"] - evidence["memory_bytes_before"])
    most = expected + _MEMORY_MARGIN * memory_mb * 2**20
    grown = now.used_bytes - then.used_bytes
    if grown > most:
        return f"the server uses {data_size(grown)} more than before; at most {data_size(most)} allowed"
    return ""
