"""Decide the TTL of every namespace of a cache, with the reason. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from optimizer.caches.tuning.allocate import BudgetTooSmall, Space, allocate_ttls
from optimizer.caches.tuning.curves import HitCurve, hit_curve, is_infeasible, ttl_grid
from optimizer.caches.tuning.forecast import add_reserve, outlooks
from optimizer.caches.tuning.limits import NoRoom, SlidingTtl, TtlLimits, allowed_range
from optimizer.caches.tuning.records import SampledReads
from optimizer.caches.tuning.replay import NoAccesses
from optimizer.core import OptimizerError, data_size

# A TTL is judged only when the records show the cache filling with it and then working for twice as long.
_SPANS_PER_TTL = 3
# With fewer reads a hit ratio is a guess: at this number its standard error is up to 1.6 points.
_LEAST_READS = 1000
# Of the TTLs that cost almost the same the shortest is best, because it serves the youngest values. A TTL that costs
# almost as little as the best one stays. Together these are below 1%, so that a sequence of runs ends at the same cost
# from every TTL that it begins with.
_KNEE, _IDLE = 1.005, 1.004
# A smaller share of the reads is not worth a change, whatever it is of the misses.
_LEAST_GAIN = 1e-4
# Memory that saves less than this is not worth a shorter TTL.
_LEAST_SAVINGS_USD_MONTH = 0.05
# Where the latest eighth has this many times more or fewer reads than the others, the past tells little of what comes.
_CHANGED = 4.0
_WINDOWS = 8
# With more TTLs on the grid a replay takes long, and the cost between two of them hardly differs.
_MOST_TTLS = 64
_MONTH_S = 365 / 12 * 86_400
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of a GB of cache memory a month and of a million loads at the origin, in US dollars."""

    usd_gb_month: float
    usd_million_misses: float


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
    """A namespace that can be tuned: its curve, the range of one step, and what every TTL within its bounds costs."""

    state: NamespaceState
    curve: HitCurve
    low_s: float
    high_s: float
    space: Space

    def cost_per_s(self, ttl_s: float) -> float:
        return self.space.cost_per_s(_at(self.curve, ttl_s))

    def planned_bytes(self, ttl_s: float) -> float:
        return self.space.memory(_at(self.curve, ttl_s))


def tune(
    namespaces: Mapping[str, NamespaceState], memory_bytes: float, prices: Prices | None = None
) -> list[TtlDecision]:
    """Return the decisions for all namespaces of one cache, whose entries may take `memory_bytes` together.

    The TTLs with the least cost are found among all that the bounds allow, whatever the TTLs in force, and each
    namespace then takes one step towards its own. Misses cost what the states say; with `prices` misses and memory cost
    dollars. Namespaces that cannot be tuned keep their memory. When even the smallest TTLs are predicted to exceed the
    budget, they are the goal, and the reason names a step towards the budget.
    """
    decisions: dict[str, TtlDecision] = {}
    candidates: dict[str, _Candidate] = {}
    fixed_bytes = 0.0
    for name, state in namespaces.items():
        try:
            candidates[name] = _candidate(state, prices)
        except (SlidingTtl, NoRoom, NoAccesses, _TooFewReads, _TrafficChanged) as why:
            bytes_now = _bytes_now(state)
            evidence = {"planned_bytes_before": bytes_now, "planned_bytes_after": bytes_now}
            decisions[name] = TtlDecision(name, state.current_ttl_s, None, f"not tuned: {why}", evidence)
            fixed_bytes += bytes_now
    budget = memory_bytes - fixed_bytes
    goal = _goal(candidates, budget)
    idle = _idle(candidates, goal, budget, prices)
    steps = {name: c.state.current_ttl_s if name in idle else _step(c, goal[name]) for name, c in candidates.items()}
    if _memory(candidates, steps) > budget:
        # Nothing grows into memory that the others have not given back yet.
        steps = {name: min(ttl_s, candidates[name].state.current_ttl_s) for name, ttl_s in steps.items()}
    crowded = _memory(candidates, steps) > budget
    for name, candidate in candidates.items():
        decisions[name] = _decision(name, candidate, steps[name], goal[name], crowded=crowded)
    return [decisions[name] for name in namespaces]


class _TooFewReads(OptimizerError):
    """The records do not suffice to judge any TTL."""


class _TrafficChanged(OptimizerError):
    """The latest reads differ so much from those before that the records do not tell what comes."""


def _goal(candidates: Mapping[str, _Candidate], budget: float) -> Mapping[str, float]:
    """Return the TTLs with the least cost within the budget. Targets are given up only where they do not fit."""
    spaces = {name: c.space for name, c in candidates.items()}
    while True:
        try:
            return allocate_ttls(spaces, budget).ttl_s
        except BudgetTooSmall:
            dearest, name = max(((_cost_of_target(space), name) for name, space in spaces.items()), default=(0.0, ""))
            if dearest <= 0:
                return {name: space.min_ttl_s for name, space in spaces.items()}
            spaces[name] = replace(spaces[name], least_hit_ratio=0.0)


def _cost_of_target(space: Space) -> float:
    """Return the memory that the target of a namespace costs at least."""
    free = replace(space, least_hit_ratio=0.0)
    return min(map(space.memory, space.within())) - min(map(free.memory, free.within()))


def _idle(
    candidates: Mapping[str, _Candidate], goal: Mapping[str, float], budget: float, prices: Prices | None
) -> set[str]:
    """Return the namespaces that keep their TTL, because the best one is hardly better and there is room for both."""
    idle: set[str] = set()
    kept = dict(goal)
    most = _IDLE * sum(c.cost_per_s(goal[name]) for name, c in candidates.items())
    for name, candidate in candidates.items():
        if _is_worthwhile(candidate, goal[name], prices):
            continue
        trial = {**kept, name: candidate.state.current_ttl_s}
        floor = _floor(candidate, goal[name], prices)
        cost = sum(c.cost_per_s(trial[other]) for other, c in candidates.items())
        if _memory(candidates, trial) <= budget and cost <= most + floor:
            kept, most = trial, most + floor
            idle.add(name)
    return idle


def _memory(candidates: Mapping[str, _Candidate], ttls_s: Mapping[str, float]) -> float:
    return sum(c.planned_bytes(ttls_s[name]) for name, c in candidates.items())


def _step(candidate: _Candidate, goal_s: float) -> float:
    return min(candidate.high_s, max(candidate.low_s, goal_s))


def _round_inwards(low_s: float, high_s: float, current_s: float, *, whole: bool) -> tuple[float, float]:
    """Return the range of one step with TTLs that people can read, and never a wider one."""
    if whole and high_s - low_s >= 1:
        low, high = float(math.ceil(low_s)), float(math.floor(high_s))
        # Around a TTL of a second or two, no whole second may lie within one step.
        return (low if low < current_s else low_s), (high if high > current_s else high_s)
    return low_s, high_s


def _candidate(state: NamespaceState, prices: Prices | None) -> _Candidate:
    limits, current = state.limits, state.current_ttl_s
    low, high = allowed_range(current, limits, sliding=state.sliding)
    seen = state.sampled
    if seen is None or len(seen.accesses.time_us) < _LEAST_READS:
        count = 0 if seen is None else len(seen.accesses.time_us)
        raise _TooFewReads(f"{count} reads in the sample; at least {_LEAST_READS} are needed")
    span_s = seen.to_s - seen.from_s
    judged = span_s / _SPANS_PER_TTL
    if current > judged:
        raise _TooFewReads(
            f"seen for {span_s:.0f} s; {_SPANS_PER_TTL * current:g} s, {_SPANS_PER_TTL} TTLs, are needed"
        )
    _check_steady(seen)
    ceiling = min(limits.max_ttl_s, limits.max_age_s / (1 + limits.jitter))
    whole = float(limits.min_ttl_s).is_integer() and float(limits.max_ttl_s).is_integer()
    if limits.min_ttl_s <= current <= ceiling:
        low, high = _round_inwards(low, high, current, whole=whole)
    least = limits.min_ttl_s
    most = max(least, min(ceiling, judged))
    if whole:
        most = max(least, float(math.floor(most)))
    ttls = sorted({*ttl_grid(least, most, max(1.08, (most / least) ** (1 / _MOST_TTLS))), current, low, high})
    curve = hit_curve(
        seen.accesses,
        ttls,
        sample=seen.sample,
        span_s=(seen.from_s, seen.to_s),
        warm_up_s=min(judged, max(most, current)),
    )
    planned = add_reserve(curve, outlooks(seen.accesses, (seen.from_s, seen.to_s), ttls))
    # Where the server evicts, no TTL grows.
    most = max(least, min(most, max(limits.eviction_age_s, current)))
    high = max(low, min(high, most)) if current <= most else high
    space = Space(planned, least, most, state.miss_cost, state.entry_bytes)
    if prices is not None:
        per_byte_s = prices.usd_gb_month / _GB / _MONTH_S
        space = replace(space, miss_cost=prices.usd_million_misses / 1e6, memory_cost=per_byte_s)
    if state.target_hit_ratio is not None:
        space = replace(space, least_hit_ratio=state.target_hit_ratio)
    return _Candidate(state, curve, low, high, replace(space, max_ttl_s=_knee_s(space)))


def _knee_s(space: Space) -> float:
    """Return the shortest TTL that costs almost as little as the cheapest; one with less memory may have to do."""
    inside = space.within()
    enough = _KNEE * min(map(space.cost_per_s, inside))
    return space.curve.ttl_s[next(i for i in inside if space.cost_per_s(i) <= enough)]


def _check_steady(seen: SampledReads) -> None:
    since = seen.accesses.time_us / 1e6 + seen.accesses.start_s
    counts = np.histogram(since, bins=_WINDOWS, range=(seen.from_s, seen.to_s))[0]
    before, latest = float(counts[:-1].mean()), float(counts[-1])
    if latest * _CHANGED < before or latest > before * _CHANGED:
        window_s = (seen.to_s - seen.from_s) / _WINDOWS
        raise _TrafficChanged(
            f"the latest {window_s:.0f} s have {latest / max(before, 1e-9):.0%} of the reads of the same time before; "
            "the tuner waits until the records show how it goes on"
        )


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


def _is_worthwhile(candidate: _Candidate, goal_s: float, prices: Prices | None) -> bool:
    state, curve, limits = candidate.state, candidate.curve, candidate.state.limits
    if not limits.min_ttl_s <= state.current_ttl_s <= min(limits.max_ttl_s, limits.max_age_s / (1 + limits.jitter)):
        return True
    now, then = _at(curve, state.current_ttl_s), _at(curve, goal_s)
    least = candidate.space.least_hit_ratio
    if curve.hit_ratio[now] < least <= curve.hit_ratio[then]:
        return True
    gain = curve.hit_ratio[then] - curve.hit_ratio[now]
    if gain > 0 and gain < max(_LEAST_GAIN, 2 * curve.hit_ratio_error[then]):
        return False
    saved = candidate.cost_per_s(state.current_ttl_s) - candidate.cost_per_s(goal_s)
    return saved > max((_IDLE - 1) * candidate.cost_per_s(goal_s), _floor(candidate, goal_s, prices))


def _floor(candidate: _Candidate, goal_s: float, prices: Prices | None) -> float:
    """Return the cost a second below which nothing is changed."""
    if prices is not None and goal_s < candidate.state.current_ttl_s:
        return _LEAST_SAVINGS_USD_MONTH / _MONTH_S
    gain = max(_LEAST_GAIN, 2 * candidate.curve.hit_ratio_error[_at(candidate.curve, goal_s)])
    return gain * candidate.curve.accesses / candidate.curve.span_s * candidate.space.miss_cost


def _decision(name: str, candidate: _Candidate, ttl_s: float, goal_s: float, *, crowded: bool) -> TtlDecision:
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
        "knee_s": candidate.space.max_ttl_s,
        "goal_s": goal_s,
        "memory_bytes_before": before_bytes,
        "memory_bytes_after": after_bytes,
        "planned_bytes_before": candidate.planned_bytes(before_s),
        "planned_bytes_after": candidate.planned_bytes(ttl_s),
        "target_hit_ratio": target,
        "target_infeasible": unreachable,
        "curve": [list(point) for point in zip(curve.ttl_s, curve.hit_ratio, curve.live_entries, strict=True)],
    }
    note = ""
    if unreachable:
        note = f"; no TTL reaches the target of {target:.0%}: at most {curve.reachable_hit_ratio:.1%} is reachable"
    if ttl_s == before_s:
        return TtlDecision(
            name, before_s, None, f"no change needed: no TTL in reach is better than {before_s:g} s{note}", evidence
        )
    why = "a step towards the memory budget" if crowded else "within the memory budget"
    misses = (1 - curve.hit_ratio[then]) / max(1 - curve.hit_ratio[now], 1e-9)
    reason = (
        f"set the TTL to {ttl_s:g} s (now {before_s:g} s): predicted hit ratio {curve.hit_ratio[then]:.1%} (now "
        f"{curve.hit_ratio[now]:.1%}, misses x {misses:.2f}), memory {data_size(after_bytes)} (now "
        f"{data_size(before_bytes)}), {why}{note}"
    )
    return TtlDecision(name, before_s, ttl_s, reason, evidence)
