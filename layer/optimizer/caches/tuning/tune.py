"""Decide the TTL of every namespace of a cache, with the reason. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.caches.tuning.allocate import BudgetTooSmall, Space, allocate_ttls
from optimizer.caches.tuning.curves import HitCurve, find_knee, hit_curve, is_infeasible, ttl_grid
from optimizer.caches.tuning.forecast import add_reserve, outlooks
from optimizer.caches.tuning.limits import NoRoom, SlidingTtl, TtlLimits, allowed_range
from optimizer.caches.tuning.records import SampledReads
from optimizer.caches.tuning.replay import NoAccesses
from optimizer.core import OptimizerError, data_size

# A TTL is judged only when the records show the cache filling with it and then working for twice as long.
_SPANS_PER_TTL = 3
# With fewer reads a hit ratio is a guess: at this number its standard error is up to 1.6 points.
_LEAST_READS = 1000
# A TTL longer than needed for this share of the reachable hits serves older values and gains almost nothing.
_KNEE = 0.99
# Smaller differences are noise and not worth a change: of the hit ratio (as a share), and as a share of the memory.
_LEAST_GAIN, _LEAST_SAVING = 0.01, 0.05


@dataclass(frozen=True, slots=True)
class NamespaceState:
    """A namespace before tuning.

    `miss_cost` is the cost of one miss, in any unit that is the same for all namespaces. `entry_bytes` is the memory of
    one entry. `sliding` says that reads prolong the entries. `target_hit_ratio` is the team's target, None without one.
    """

    current_ttl_s: float
    limits: TtlLimits
    sampled: SampledReads | None
    miss_cost: float = 1.0
    entry_bytes: float = 1.0
    sliding: bool = False
    target_hit_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class TtlDecision:
    """The decision about one namespace; `after_s` is None where nothing changes.

    `evidence` holds the numbers behind the reason. Its `planned_bytes_before` and `planned_bytes_after` are the memory
    to plan for, which counts towards the budget.
    """

    namespace: str
    before_s: float
    after_s: float | None
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Candidate:
    state: NamespaceState
    curve: HitCurve
    planned: HitCurve
    low_s: float
    high_s: float


def tune(namespaces: Mapping[str, NamespaceState], memory_bytes: float) -> list[TtlDecision]:
    """Return the decisions for all namespaces of one cache, whose entries may take `memory_bytes` together.

    Namespaces that cannot be tuned keep their memory. When even the smallest TTLs that one step allows are predicted
    to exceed the budget, each namespace gets its smallest TTL, and the reason names it a step towards the budget.
    """
    decisions: dict[str, TtlDecision] = {}
    candidates: dict[str, _Candidate] = {}
    fixed_bytes = 0.0
    for name, state in namespaces.items():
        try:
            candidates[name] = _candidate(state)
        except (SlidingTtl, NoRoom, NoAccesses, _TooFewReads) as why:
            bytes_now = _bytes_now(state)
            evidence = {"planned_bytes_before": bytes_now, "planned_bytes_after": bytes_now}
            decisions[name] = TtlDecision(name, state.current_ttl_s, None, f"not tuned: {why}", evidence)
            fixed_bytes += bytes_now
    spaces = {
        name: Space(c.planned, c.low_s, c.high_s, c.state.miss_cost, c.state.entry_bytes)
        for name, c in candidates.items()
    }
    crowded = False
    try:
        chosen: Mapping[str, float] = allocate_ttls(spaces, memory_bytes - fixed_bytes).ttl_s
    except BudgetTooSmall:
        crowded = True
        # A TTL below its smallest bound does not grow until there is room.
        chosen = {name: min(space.min_ttl_s, candidates[name].state.current_ttl_s) for name, space in spaces.items()}
    idle = set() if crowded else {name for name, c in candidates.items() if not _is_worthwhile(c, chosen[name])}
    kept = {name: c.state.current_ttl_s if name in idle else chosen[name] for name, c in candidates.items()}
    if (
        not crowded
        and sum(_planned_bytes(c, kept[name]) for name, c in candidates.items()) > memory_bytes - fixed_bytes
    ):
        # The namespaces without a change have to fit as well, so then a small saving of memory is worth a change, too.
        idle = {n for n in idle if _planned_bytes(candidates[n], kept[n]) <= _planned_bytes(candidates[n], chosen[n])}
    for name, candidate in candidates.items():
        decisions[name] = _decision(name, candidate, chosen[name], change=name not in idle, crowded=crowded)
    return [decisions[name] for name in namespaces]


class _TooFewReads(OptimizerError):
    """The records do not suffice to judge any TTL."""


def _candidate(state: NamespaceState) -> _Candidate:
    low, high = allowed_range(state.current_ttl_s, state.limits, sliding=state.sliding)
    seen = state.sampled
    if seen is None or len(seen.accesses.time_us) < _LEAST_READS:
        count = 0 if seen is None else len(seen.accesses.time_us)
        raise _TooFewReads(f"{count} reads in the sample; at least {_LEAST_READS} are needed")
    span_s = seen.to_s - seen.from_s
    judged = span_s / _SPANS_PER_TTL
    if state.current_ttl_s > judged:
        raise _TooFewReads(
            f"seen for {span_s:.0f} s; {_SPANS_PER_TTL * state.current_ttl_s:g} s, {_SPANS_PER_TTL} TTLs, are needed"
        )
    high = max(low, min(high, judged))
    ttls = [*ttl_grid(low, high), state.current_ttl_s]
    curve = hit_curve(
        seen.accesses,
        ttls,
        sample=seen.sample,
        span_s=(seen.from_s, seen.to_s),
        warm_up_s=min(judged, max(high, state.current_ttl_s)),
    )
    planned = add_reserve(curve, outlooks(seen.accesses, (seen.from_s, seen.to_s), ttls))
    return _Candidate(state, curve, planned, low, max(low, min(high, find_knee(curve, _KNEE))))


def _bytes_now(state: NamespaceState) -> float:
    seen = state.sampled
    if seen is None:
        return 0.0
    try:
        curve = hit_curve(seen.accesses, [state.current_ttl_s], sample=seen.sample, span_s=(seen.from_s, seen.to_s))
    except NoAccesses:
        return 0.0
    return curve.live_entries[0] * state.entry_bytes


def _at(curve: HitCurve, ttl_s: float) -> int:
    return curve.ttl_s.index(ttl_s)


def _planned_bytes(candidate: _Candidate, ttl_s: float) -> float:
    return candidate.planned.live_entries[_at(candidate.planned, ttl_s)] * candidate.state.entry_bytes


def _is_worthwhile(candidate: _Candidate, ttl_s: float) -> bool:
    state, curve = candidate.state, candidate.curve
    limits = state.limits
    now, then = _at(curve, state.current_ttl_s), _at(curve, ttl_s)
    if not limits.min_ttl_s <= state.current_ttl_s <= min(limits.max_ttl_s, limits.max_age_s / (1 + limits.jitter)):
        return True
    gain = abs(curve.hit_ratio[then] - curve.hit_ratio[now])
    saving = curve.live_entries[now] - curve.live_entries[then]
    least_gain = max(_LEAST_GAIN, 2 * curve.hit_ratio_error[then])
    return gain >= least_gain or saving >= _LEAST_SAVING * curve.live_entries[now] > 0


def _decision(name: str, candidate: _Candidate, ttl_s: float, *, change: bool, crowded: bool) -> TtlDecision:
    state, curve = candidate.state, candidate.curve
    before_s, target = state.current_ttl_s, state.target_hit_ratio
    now, then = _at(curve, before_s), _at(curve, ttl_s)
    before_bytes, after_bytes = (curve.live_entries[i] * state.entry_bytes for i in (now, then))
    unreachable = target is not None and is_infeasible(curve, target)
    evidence = {
        "hit_ratio_before": curve.hit_ratio[now],
        "hit_ratio_after": curve.hit_ratio[then],
        "hit_ratio_error": curve.hit_ratio_error[then],
        "reachable_hit_ratio": curve.reachable_hit_ratio,
        "knee_s": find_knee(curve, _KNEE),
        "memory_bytes_before": before_bytes,
        "memory_bytes_after": after_bytes,
        "planned_bytes_before": _planned_bytes(candidate, before_s),
        "planned_bytes_after": _planned_bytes(candidate, ttl_s if change else before_s),
        "target_hit_ratio": target,
        "target_infeasible": unreachable,
        "curve": [list(point) for point in zip(curve.ttl_s, curve.hit_ratio, curve.live_entries, strict=True)],
    }
    note = ""
    if unreachable:
        note = f"; no TTL reaches the target of {target:.0%}: at most {curve.reachable_hit_ratio:.1%} is reachable"
    if ttl_s == before_s or not change:
        return TtlDecision(
            name, before_s, None, f"no change needed: no TTL in reach is better than {before_s:g} s{note}", evidence
        )
    why = "a step towards the memory budget" if crowded else "within the memory budget"
    reason = (
        f"set the TTL to {ttl_s:g} s (now {before_s:g} s): predicted hit ratio {curve.hit_ratio[then]:.1%} (now "
        f"{curve.hit_ratio[now]:.1%}), memory {data_size(after_bytes)} (now {data_size(before_bytes)}), {why}{note}"
    )
    return TtlDecision(name, before_s, ttl_s, reason, evidence)
