"""Proposes for one function a memory size or an amount of provisioned concurrency, or says why neither. Pure.

Both are decided on one bill: the size changes the duration, the duration the environments needed, these whether
provisioned concurrency pays. A function gets one change at a time, the one that saves more; the other waits until
the first has been watched.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.capacity import memory_model, prices
from optimizer.capacity.demand import Demand, provisioned_usd_month, usd_month, worth_holding
from optimizer.capacity.live import LiveFunction
from optimizer.capacity.observed import FunctionHistory, SizeHistory
from optimizer.capacity.obstacles import Obstacle, obstacle
from optimizer.capacity.provisioned_life import held
from optimizer.changes import Change, Effect, Interval, NoChange, Risk, Tuner
from optimizer.policy.model import Memory, Mode, Policy

_DAYS_A_MONTH = 365 / 12
# Sizes tried beside the first one before the best of those seen is final.
_TRIES = 3
# Days of traffic by the minute without which nothing is said about provisioned concurrency.
_LEAST_DAYS = 3.0
_GOALS: Mapping[str, tuple[str, bool]] = {
    "cost": ("cost", False),
    "cost_guarded": ("cost", True),
    "balanced": ("balanced", False),
    "p95": ("cost", False),
}

type Proposal = Change | NoChange


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of one function. calls_day: None is not known. need_most: the most environments ever needed at
    once, None if not known. scan: what reading its log cost, for the evidence."""

    run_id: str
    target: str
    live: LiveFunction
    history: FunctionHistory
    demand: Demand
    calls_day: float | None
    need_most: int | None
    scan: Mapping[str, Any]


class _Unchanged(Exception):
    """Nothing is proposed; the message is the reason."""


def plan_function(seen: Seen, policy: Policy) -> list[Proposal]:
    """One proposal for the memory size and one for provisioned concurrency; at most one of them is a Change."""
    memory = _plan_memory(seen, policy)
    provisioned = _plan_provisioned(seen, policy)
    if not (isinstance(memory, Change) and isinstance(provisioned, Change)):
        return [memory, provisioned]
    if _saving(memory) >= _saving(provisioned):
        return [memory, _postponed(provisioned, seen, "the memory size is changed first")]
    return [_postponed(memory, seen, "provisioned concurrency is changed first"), provisioned]


def memory_limits(used_mb: int, current_mb: int, limits: Memory) -> list[int]:
    """The sizes that one step may lead to: of the policy's list, within floor, ceiling and largest step, and never
    below the most memory ever used times the headroom. The current size is among them only if it is so itself."""
    least = max(float(limits.floor_mb), used_mb * limits.headroom)
    return sorted(
        mb
        for mb in {*limits.sizes_mb, current_mb}
        if least <= mb <= limits.ceiling_mb and max(mb / current_mb, current_mb / mb) <= limits.max_step_ratio
    )


def _plan_memory(seen: Seen, policy: Policy) -> Proposal:
    try:
        return _memory_change(seen, policy)
    except _Unchanged as unchanged:
        return NoChange(seen.run_id, Tuner.MEMORY, seen.target, str(unchanged), _memory_facts(seen))


def _memory_change(seen: Seen, policy: Policy) -> Change:
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
    allowed = memory_limits(used_mb, current_mb, limits)
    decision = _choose(seen, limits, now, allowed)
    after_mb, safety = decision.memory_mb, current_mb < used_mb * limits.headroom
    if after_mb == current_mb:
        raise _Unchanged(decision.reason)
    duration_ms = decision.predicted[after_mb]
    ratio = duration_ms.estimate / now.durations.mean
    before_usd = _bill(seen, current_mb, now.durations.mean, 1.0)
    bills = [_bill(seen, after_mb, ms, ms / now.durations.mean) for ms in (duration_ms.low, duration_ms.high)]
    after_usd = _bill(seen, after_mb, duration_ms.estimate, ratio)
    _worth_it(limits, ratio, after_usd / before_usd, safety=safety)
    owner = obstacle(Tuner.MEMORY, live, after_mb)
    if owner and policy.mode_of(Tuner.MEMORY) is not Mode.RECOMMEND:
        raise _Unchanged(f"{after_mb} MB would be better, but: {owner.message}")
    latency = Interval(*(round(ms - now.durations.mean, 3) for ms in _spread(duration_ms)))
    known = seen.calls_day is not None
    usd = Interval(round(after_usd - before_usd, 4), *(round(b - before_usd, 4) for b in sorted(bills)))
    holds = held(live).environments
    return Change(
        run_id=seen.run_id,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=seen.target,
        before={"memory_mb": current_mb, "version": live.alias_version},
        after={"memory_mb": after_mb},
        reason=_why(decision.reason, used_mb, limits, current_mb, after_mb, safety=safety),
        undo={"memory_mb": current_mb, "version": live.alias_version},
        risk=Risk.MEDIUM if after_mb < current_mb or holds else Risk.LOW,
        evidence={
            **_memory_facts(seen),
            "alias": live.alias,
            "canary_weight": 0.0 if holds else limits.canary_weight,
            "provisioned_environments": holds if live.scaling is None else 0,
            "samples": now.calls,
            "price_ratio": round(after_usd / before_usd, 4),
            "duration_ratio": round(ratio, 4),
            "p95_ratio": round(ratio, 4),
            "p95_ms": round(now.durations.quantile(0.95) * ratio, 3),
            "environments_busy": round(seen.demand.scaled(ratio).mean, 3),
            "provisioned_worth_it": worth_holding(
                seen.demand.scaled(ratio), live.version.architecture, after_mb, policy.provisioned_concurrency
            ),
            **_owner_facts(owner),
        },
        effect=Effect(latency_ms=latency, usd_month=usd if known else None),
    )


def _choose(seen: Seen, limits: Memory, now: SizeHistory, allowed: list[int]) -> memory_model.Decision:
    live = seen.live
    current_mb, used_mb = now.memory_mb, seen.history.max_memory_used_mb
    if not allowed:
        raise _Unchanged(
            f"It used up to {used_mb} MB, and no size of the policy within one step "
            f"leaves {limits.headroom:g} times that."
        )
    goal, guarded = _GOALS.get(limits.goal, ("cost", True))
    observed = {
        mb: memory_model.SizeSeen(size.durations.mean, size.durations.count)
        for mb, size in seen.history.sizes.items()
        if size.durations.count and size.durations.mean > 0
    }
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
    wanted = max(decision.memory_mb, allowed[0])
    return memory_model.Decision(wanted, decision.reason, decision.predicted)


def _worth_it(limits: Memory, ratio: float, price_ratio: float, *, safety: bool) -> None:
    if ratio > limits.max_slowdown:
        raise _Unchanged(
            f"The better price would make calls {ratio:.2f} times as long; {limits.max_slowdown:g} is allowed."
        )
    gain = 1 - price_ratio * (ratio if limits.goal == "balanced" else 1.0)
    if gain < limits.min_gain and not safety:
        raise _Unchanged(f"The best size would save {gain:.1%}; {limits.min_gain:.1%} is the least worth a change.")


def _why(reason: str, used_mb: int, limits: Memory, before_mb: int, after_mb: int, *, safety: bool) -> str:
    if safety:
        return (
            f"It used up to {used_mb} MB of {before_mb} MB, less than the headroom of {limits.headroom:g}; "
            f"{after_mb} MB is safer."
        )
    return reason


def _bill(seen: Seen, memory_mb: int, mean_ms: float, duration_ratio: float) -> float:
    """USD a month; per call where the number of calls is not known."""
    calls_month = seen.calls_day * _DAYS_A_MONTH if seen.calls_day else 1.0
    size = seen.history.sizes[seen.live.version.memory_mb]
    architecture = seen.live.version.architecture
    init_usd = size.cold_share * float(prices.call_usd(architecture, memory_mb, size.inits.mean) - prices.REQUEST_USD)
    environments = held(seen.live).environments if seen.calls_day else 0
    demand = seen.demand.scaled(duration_ratio)
    return calls_month * init_usd + usd_month(demand, architecture, memory_mb, mean_ms, calls_month, environments)


def _plan_provisioned(seen: Seen, policy: Policy) -> Proposal:
    live, limits = seen.live, policy.provisioned_concurrency
    architecture, memory_mb = live.version.architecture, live.version.memory_mb
    now = held(live)
    facts = {
        "environments": now.environments,
        "usd_month": round(provisioned_usd_month(architecture, memory_mb, now.environments), 4),
    }

    def unchanged(reason: str) -> NoChange:
        return NoChange(seen.run_id, Tuner.PROVISIONED_CONCURRENCY, seen.target, reason, facts)

    blocked = obstacle(Tuner.PROVISIONED_CONCURRENCY, live)
    if blocked and not blocked.owner:
        return unchanged(blocked.message)
    if seen.demand.days < _LEAST_DAYS or seen.calls_day is None:
        return unchanged(f"{seen.demand.days:.1f} days of traffic are known; {_LEAST_DAYS:g} are needed.")
    wanted = worth_holding(seen.demand, architecture, memory_mb, limits)
    if live.reserved is not None and wanted >= live.reserved:
        return unchanged(f"All of the {live.reserved} reserved environments would be provisioned; $LATEST would stop.")
    if wanted < now.environments and now.bounds is None:
        # What the team bought for latency stays, down to the most that was ever used.
        wanted = min(now.environments, max(wanted, seen.need_most or now.environments))
    elif now.bounds is not None:
        wanted = max(wanted, now.bounds.minimum)
    same = wanted == (now.bounds.minimum if now.bounds else now.environments)
    if same:
        use = seen.demand.utilisation(wanted or 1)
        return unchanged(
            f"{wanted} environments are right: {'they are' if wanted else 'one would be'} used to {use:.0%}."
        )
    if blocked and policy.mode_of(Tuner.PROVISIONED_CONCURRENCY) is not Mode.RECOMMEND:
        return unchanged(f"{wanted} environments would be better, but: {blocked.message}")
    return _provisioned_change(seen, wanted, facts, blocked)


def _provisioned_change(seen: Seen, wanted: int, facts: Mapping[str, Any], owner: Obstacle | None) -> Change:
    live, now = seen.live, held(seen.live)
    architecture, memory_mb = live.version.architecture, live.version.memory_mb
    before: dict[str, int] = {"environments": now.environments}
    after = {"environments": wanted}
    if now.bounds is not None:
        most = max(now.bounds.maximum, wanted)
        before |= {"min": now.bounds.minimum, "max": now.bounds.maximum}
        after = {"environments": most, "min": wanted, "max": most}
    held_before = now.bounds.minimum if now.bounds else now.environments
    mean_ms = _mean_ms(seen)
    calls_month = (seen.calls_day or 0.0) * _DAYS_A_MONTH
    bills = [
        usd_month(seen.demand, architecture, memory_mb, mean_ms, calls_month, environments)
        for environments in (held_before, wanted)
    ]
    difference = bills[1] - bills[0]
    # Traffic differs from week to week; the days that were seen say by how much.
    spread = abs(difference) * _day_spread(seen.demand)
    use = seen.demand.utilisation(wanted)
    return Change(
        run_id=seen.run_id,
        tuner=Tuner.PROVISIONED_CONCURRENCY,
        action="set_provisioned_concurrency",
        target=seen.target,
        before=before,
        after=after,
        reason=(
            f"{wanted} provisioned environments instead of {held_before} would be busy {use:.0%} of the time; "
            f"above {float(prices.break_even_utilisation(architecture)):.0%} they cost less than on demand."
            if wanted > held_before
            else f"{held_before} environments are provisioned and never more than {wanted} were needed."
        ),
        undo=before,
        risk=Risk.LOW if wanted > held_before else Risk.MEDIUM,
        evidence={
            "alias": live.alias,
            "version": live.alias_version,
            "memory_mb": memory_mb,
            "usd_month": round(provisioned_usd_month(architecture, memory_mb, after["environments"]), 4),
            "usd_month_before": facts["usd_month"],
            "utilisation": round(use, 4),
            "reserved_concurrency": live.reserved,
            "days": round(seen.demand.days, 2),
            **_owner_facts(owner),
        },
        effect=Effect(
            usd_month=Interval(round(difference, 4), round(difference - spread, 4), round(difference + spread, 4))
        ),
    )


def _day_spread(demand: Demand) -> float:
    days = [float(demand.busy[at : at + 1440].mean()) for at in range(0, len(demand.busy) - 1439, 1440)]
    mean = sum(days) / len(days) if days else 0.0
    if len(days) < 2 or mean == 0:
        return 1.0
    return 1.96 * math.sqrt(sum((day - mean) ** 2 for day in days) / (len(days) - 1) / len(days)) / mean


def _mean_ms(seen: Seen) -> float:
    size = seen.history.sizes.get(seen.live.version.memory_mb)
    if size is not None and size.durations.count:
        return size.durations.mean
    # Little's law backwards: busy environments are calls a millisecond times their duration.
    return seen.demand.mean * 86_400_000 / seen.calls_day if seen.calls_day else 0.0


def _memory_facts(seen: Seen) -> dict[str, Any]:
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
    return {"sizes": sizes, "max_memory_used_mb": seen.history.max_memory_used_mb, "log_scan": dict(seen.scan)}


def _owner_facts(owner: Obstacle | None) -> dict[str, str]:
    return {"owner": owner.rule, "template_line": owner.message} if owner else {}


def _spread(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high


def _saving(change: Change) -> float:
    return -change.effect.usd_month.estimate if change.effect.usd_month else 0.0


def _postponed(change: Change, seen: Seen, why: str) -> NoChange:
    live = seen.live
    evidence: dict[str, Any] = {"wanted": dict(change.after)}
    if change.tuner is Tuner.PROVISIONED_CONCURRENCY:
        environments = held(live).environments
        usd = provisioned_usd_month(live.version.architecture, live.version.memory_mb, environments)
        evidence |= {"environments": environments, "usd_month": round(usd, 4)}
    reason = f"One change of a function at a time: {why}, and this is decided again when it has been watched."
    return NoChange(change.run_id, change.tuner, change.target, reason, evidence)
