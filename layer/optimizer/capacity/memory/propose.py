"""Proposes for one function a memory size, or says why not. Pure."""

import math
from dataclasses import replace
from typing import Any

from optimizer.capacity.canary import calls_needed
from optimizer.capacity.function_facts import FunctionFacts, Proposal, owner_facts
from optimizer.capacity.live_function import LATEST
from optimizer.capacity.memory import model as memory_model
from optimizer.capacity.memory.bounds import GOALS, Bounds, bill, bounds_of, observed_sizes, outcome_of
from optimizer.capacity.memory.trial import TrialOutcome, expected
from optimizer.capacity.obstacles import obstacle
from optimizer.capacity.provisioned.amount import held
from optimizer.capacity.provisioned.load import worth_holding
from optimizer.core import Change, Effect, Interval, NoChange, OptimizerError, Risk, Tuner
from optimizer.function_logs import SizeHistory
from optimizer.policy import Memory, Mode, Policy

_DAY_MINUTES = 1440
# Sizes tried beside the first one before the best of those seen is final.
_TRIES = 3
# A change that is kept with such a chance is no mere try.
_SURE = 0.9


class _Unchanged(OptimizerError):
    """Nothing is proposed; the message is the reason."""


def memory_limits(used_mb: int, current_mb: int, limits: Memory) -> list[int]:
    """The sizes that one step may lead to: of the policy's list, within floor, ceiling and largest step, and never
    below the most memory ever used times the headroom. The current size is among them only if it is so itself."""
    least = max(float(limits.floor_mb), used_mb * limits.headroom)
    return sorted(
        mb
        for mb in {*limits.sizes_mb, current_mb}
        if least <= mb <= limits.ceiling_mb and max(mb / current_mb, current_mb / mb) <= limits.max_step_ratio
    )


def plan_memory(seen: FunctionFacts, policy: Policy) -> Proposal:
    """A Change, or why not."""
    try:
        return _memory_change(seen, policy)
    except _Unchanged as unchanged:
        return NoChange(seen.run_id, Tuner.MEMORY, seen.target, str(unchanged), _memory_facts(seen))


def _memory_change(seen: FunctionFacts, policy: Policy) -> Change:
    limits, live = policy.memory, seen.live
    blocked = obstacle(Tuner.MEMORY, live)
    if blocked and not blocked.owner:
        raise _Unchanged(blocked.message)
    current_mb = live.version.memory_mb
    now = seen.history.sizes.get(current_mb)
    if now is None or now.durations.count == 0:
        raise _Unchanged(f"No REPORT line of a call with {current_mb} MB was found, so what it uses is not known.")
    if now.calls < limits.min_invocations:
        raise _Unchanged(f"{now.calls} calls were seen with {current_mb} MB; {limits.min_invocations} are needed.")
    used_mb = seen.history.max_memory_used_mb
    allowed = [mb for mb in memory_limits(used_mb, current_mb, limits) if mb == current_mb or mb not in seen.taken_back]
    safety = current_mb < used_mb * limits.headroom
    weight = 0.0 if held(live).environments or live.alias == LATEST else limits.canary_weight
    decision, bounds, end = _likely(seen, limits, now, allowed, weight, safety=safety)
    after_mb = decision.memory_mb
    if not safety:
        _judgeable(seen, limits, now, weight)
    ratio = end.ratio.estimate
    before_usd = bill(seen, current_mb, now.durations.mean, 1.0)
    after_usd, *bills = (bill(seen, after_mb, now.durations.mean * r, r) for r in _spread(end.ratio))
    _worth_it(limits, ratio, after_usd / before_usd, safety=safety)
    owner = obstacle(Tuner.MEMORY, live, after_mb)
    if owner and policy.mode_of(Tuner.MEMORY) is not Mode.RECOMMEND:
        raise _Unchanged(f"{after_mb} MB would be better, but: {owner.message}")
    known = seen.calls_day is not None
    usd = expected(Interval(after_usd - before_usd, *(b - before_usd for b in sorted(bills))), end.chance_kept)
    latency = expected(Interval(*((r - 1) * now.durations.mean for r in _spread(end.ratio))), end.chance_kept)
    holds = held(live).environments
    return Change(
        run_id=seen.run_id,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=seen.target,
        before={
            "memory_mb": current_mb,
            "version": live.alias_version,
            # Without a version, what was looked at is known by its content alone.
            **({"content": live.latest.content} if live.alias == LATEST else {}),
        },
        after={"memory_mb": after_mb},
        reason=_why(decision.reason, used_mb, limits, current_mb, after_mb, end, bounds, safety=safety),
        undo={"memory_mb": current_mb, "version": live.alias_version},
        risk=Risk.MEDIUM if after_mb < current_mb or not weight else Risk.LOW,
        evidence={
            **_memory_facts(seen),
            "alias": live.alias,
            "canary_weight": weight,
            "provisioned_environments": holds if live.scaling is None else 0,
            "samples": now.calls,
            "price_ratio": round(after_usd / before_usd, 4),
            "duration_ratio": round(ratio, 4),
            "chance_kept": round(end.chance_kept, 3),
            "max_duration_ratio": round(bounds.slowdown, 4),
            "break_even_ratio": None if bounds.gain == math.inf else round(bounds.gain, 4),
            "p95_ratio": round(ratio, 4),
            "p95_ms": round(now.durations.quantile(0.95) * ratio, 3),
            "environments_busy": round(seen.demand.scaled(ratio).mean, 3),
            "provisioned_worth_it": worth_holding(
                seen.demand.scaled(ratio), live.version.architecture, after_mb, policy.provisioned_concurrency
            ),
            **owner_facts(owner),
        },
        effect=Effect(latency_ms=_rounded(latency, 3), usd_month=_rounded(usd, 4) if known else None),
    )


def _likely(
    seen: FunctionFacts, limits: Memory, now: SizeHistory, allowed: list[int], weight: float, *, safety: bool
) -> tuple[memory_model.MemoryDecision, Bounds, TrialOutcome]:
    """The best size that is likely enough to be kept: a try is a burden on the calls that it gets."""
    current_mb, unlikely = now.memory_mb, ""
    while True:
        decision = _choose(seen, limits, now, allowed)
        after_mb = decision.memory_mb
        if after_mb == current_mb:
            raise _Unchanged(unlikely or decision.reason)
        bounds = bounds_of(seen, limits, now, after_mb, safety=safety)
        end = outcome_of(decision, now, bounds, canary=weight > 0)
        if end is not None and (safety or end.chance_kept >= limits.min_chance_kept):
            return decision, bounds, end
        unlikely = unlikely or _unlikely(after_mb, end, limits)
        allowed = [mb for mb in allowed if mb != after_mb]
        if not allowed:
            raise _Unchanged(unlikely)


def _unlikely(after_mb: int, end: TrialOutcome | None, limits: Memory) -> str:
    if end is None:
        return f"{after_mb} MB is not expected to be within the limits, so it is not tried."
    return (
        f"{after_mb} MB has a chance of {end.chance_kept:.0%} of being kept; "
        f"{limits.min_chance_kept:.0%} is the least worth a try."
    )


def _judgeable(seen: FunctionFacts, limits: Memory, now: SizeHistory, weight: float) -> None:
    """A canary that gets too few calls to be judged would only be taken back."""
    if not weight or seen.calls_day is None:
        return
    needed = calls_needed(now.durations.variation, limits.max_slowdown, weight)
    longest = max(limits.watch_minutes[-1], limits.longest_watch_hours * 60)
    expected_calls = seen.calls_day * weight * longest / _DAY_MINUTES
    if expected_calls < needed:
        raise _Unchanged(
            f"A canary would get about {expected_calls:.0f} calls while it is watched, and {needed:.0f} are needed to "
            f"judge it; memory.canary_weight and memory.longest_watch_hours decide that."
        )


def _choose(seen: FunctionFacts, limits: Memory, now: SizeHistory, allowed: list[int]) -> memory_model.MemoryDecision:
    live = seen.live
    current_mb, used_mb = now.memory_mb, seen.history.max_memory_used_mb
    if not allowed:
        raise _Unchanged(
            f"It used up to {used_mb} MB, and no size of the policy within one step "
            f"leaves {limits.headroom:g} times that."
        )
    goal, guarded = GOALS.get(limits.goal, ("cost", True))
    observed = observed_sizes(seen.history)
    decision = memory_model.choose(
        observed,
        live.version.architecture,
        allowed,
        current_mb,
        goal,
        limits.max_slowdown if guarded else None,
        max(0, _TRIES + 1 - len(observed)),
    )
    if current_mb >= used_mb * limits.headroom:
        return decision
    return replace(decision, memory_mb=max(decision.memory_mb, allowed[0]))


def _worth_it(limits: Memory, ratio: float, price_ratio: float, *, safety: bool) -> None:
    if ratio > limits.max_slowdown:
        raise _Unchanged(
            f"The better price would make calls {ratio:.2f} times as long; {limits.max_slowdown:g} is allowed."
        )
    gain = 1 - price_ratio * (ratio if limits.goal == "balanced" else 1.0)
    if gain < limits.min_gain and not safety:
        raise _Unchanged(f"The best size would save {gain:.1%}; {limits.min_gain:.1%} is the least worth a change.")


def _why(
    reason: str,
    used_mb: int,
    limits: Memory,
    before_mb: int,
    after_mb: int,
    end: TrialOutcome,
    bounds: Bounds,
    *,
    safety: bool,
) -> str:
    if safety:
        return (
            f"It used up to {used_mb} MB of {before_mb} MB, less than the headroom of {limits.headroom:g}; "
            f"{after_mb} MB is safer."
        )
    if end.chance_kept >= _SURE:
        return reason
    return (
        f"{reason} It is kept if calls take at most {bounds.most:.2f} times as long, "
        f"which has a chance of {end.chance_kept:.0%}."
    )


def _memory_facts(seen: FunctionFacts) -> dict[str, Any]:
    sizes = {
        str(mb): {
            "calls": size.calls,
            "mean_ms": round(size.durations.mean, 3),
            "mean_interval_ms": [round(v, 3) for v in _spread(size.durations.mean_interval())[1:]],
            "p95_ms": round(size.durations.quantile(0.95), 3),
            "max_memory_used_mb": size.max_memory_used_mb,
            "cold_share": round(size.cold_share, 5),
            "init_ms": round(size.inits.mean, 3),
            "timeouts": size.timeouts,
            "errors": size.errors,
        }
        for mb, size in seen.history.sizes.items()
        if size.durations.count
    }
    return {
        "architecture": seen.live.version.architecture,
        "sizes": sizes,
        "max_memory_used_mb": seen.history.max_memory_used_mb,
        "log_scan": dict(seen.scan),
    }


def _spread(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high


def _rounded(interval: Interval, digits: int) -> Interval:
    return Interval(*(round(value, digits) for value in _spread(interval)))
