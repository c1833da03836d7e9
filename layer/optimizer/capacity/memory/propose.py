"""Proposes a memory size for one function, or says why none. Pure."""

import math

from optimizer.capacity.canary import calls_needed
from optimizer.capacity.function_facts import FunctionFacts, Proposal, bill_words, owner_facts
from optimizer.capacity.live_function import LATEST
from optimizer.capacity.memory.bounds import bill, expected, least_gain
from optimizer.capacity.memory.candidates import (
    Candidate,
    NoProposal,
    candidate_of_known_hours,
    failures_of,
    faster_candidate,
    unpriced_words,
)
from optimizer.capacity.memory.facts import memory_facts
from optimizer.capacity.obstacles import obstacle, set_elsewhere
from optimizer.capacity.provisioned import held, worth_holding
from optimizer.core import Change, Effect, Interval, NoChange, Risk, Tuner, figure
from optimizer.function_logs import SizeHistory
from optimizer.policy import Memory, Policy

_DAY_MINUTES = 1440
# The evidence of a change whose price is not known.
_NO_MONEY: dict[str, float | None] = {"price_ratio": None, "gain_usd_month": None}


def memory_limits(used_mb: int, current_mb: int, limits: Memory) -> list[int]:
    """Return the sizes that one step may lead to, rising.

    They are of the policy's list, within floor, ceiling and largest step, and never below the peak usage times the
    headroom. The current size is among them only if it meets all of these itself.
    """
    least = max(float(limits.floor_mb), used_mb * limits.headroom)
    return sorted(
        mb
        for mb in {*limits.sizes_mb, current_mb}
        if least <= mb <= limits.ceiling_mb and max(mb / current_mb, current_mb / mb) <= limits.max_step_ratio
    )


def plan_memory(facts: FunctionFacts, policy: Policy) -> Proposal:
    """Return a Change of the memory size, or a NoChange with the reason."""
    try:
        return _memory_change(facts, policy)
    except NoProposal as why:
        return NoChange(facts.run_id, Tuner.MEMORY, facts.target, str(why), memory_facts(facts))


def _memory_change(facts: FunctionFacts, policy: Policy) -> Change:
    limits, live = policy.memory, facts.live
    blocked = obstacle(Tuner.MEMORY, live)
    if blocked and not blocked.owner:
        raise NoProposal(blocked.message)
    unpriced = unpriced_words(facts)
    current_mb = live.version.memory_mb
    now = facts.history.sizes.get(current_mb)
    if now is None or now.durations.count == 0:
        raise NoProposal(
            unpriced or f"No REPORT line of a call with {current_mb} MB was found, so its memory usage is unknown."
        )
    if now.calls < limits.min_invocations:
        raise NoProposal(
            unpriced
            or f"{now.calls} calls were seen with {current_mb} MB; {limits.min_invocations} are needed "
            f"(memory.min_invocations)."
        )
    used_mb = facts.history.max_memory_used_mb
    sizes = memory_limits(used_mb, current_mb, limits)
    allowed = [mb for mb in sizes if mb == current_mb or mb not in facts.rolled_back]
    safety = current_mb < used_mb * limits.headroom
    failures = failures_of(facts, now)
    if safety and failures.leak:
        raise NoProposal(failures.leak)
    against_timeouts = failures.times_out and not safety
    is_needed = safety or against_timeouts
    if unpriced and not is_needed:
        raise NoProposal(unpriced)
    unpriced = unpriced and unpriced_words(facts, so="the effect on the bill is not known")
    before_usd = None if unpriced else bill(facts, current_mb, now.durations.mean, 1.0)
    if before_usd is not None and not is_needed:
        _require_bill(facts, limits, before_usd)
    weight = 0.0 if held(live).environments or live.alias == LATEST else limits.canary_weight
    if against_timeouts:
        candidate = faster_candidate(facts, limits, failures, allowed, weight)
    else:
        candidate = candidate_of_known_hours(facts, limits, now, allowed, weight, safety=safety)
    after_mb, chance_kept = candidate.after_mb, candidate.outcome.chance_kept
    if not safety:
        _require_calls(facts, limits, now, weight)
    ratio = candidate.outcome.ratio.estimate
    _require_speed(limits, ratio)
    usd_month, money = None, _NO_MONEY
    if before_usd is not None:
        usd_month, money = _money(facts, policy, candidate, before_usd, is_needed=is_needed)
    owner = obstacle(Tuner.MEMORY, live, after_mb) or set_elsewhere(live, facts.replaced, after_mb)
    reason = (
        f"{failures.memory_words}{_headroom_reason(used_mb, limits, current_mb, after_mb)}"
        if safety
        else f"{failures.words}. {_reason(candidate, now, usd_month)}"
        if against_timeouts
        else _reason(candidate, now, usd_month)
    )
    slower = Interval(*((r - 1) * now.durations.mean for r in _spread(candidate.outcome.ratio)))
    demand = facts.demand.scaled(ratio)
    return Change(
        run_id=facts.run_id,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=facts.target,
        before={
            "memory_mb": current_mb,
            "version": live.alias_version,
            # Without a version, the state that was planned on is known by its content alone.
            **({"content": live.latest.content} if live.alias == LATEST else {}),
        },
        after={"memory_mb": after_mb},
        reason=f"{reason} {unpriced}" if unpriced else reason,
        undo={"memory_mb": current_mb, "version": live.alias_version},
        risk=Risk.MEDIUM if after_mb < current_mb or not weight else Risk.LOW,
        evidence={
            **memory_facts(facts),
            "alias": live.alias,
            "canary_weight": weight,
            "log_scan_mb": facts.log_scan_mb,
            "provisioned_environments": held(live).environments if live.scaling is None else 0,
            "samples": now.calls,
            "against_timeouts": against_timeouts,
            "timeout_ms": failures.timeout_ms,
            "slowest_ms": round(failures.slowest_ms * ratio, 3),
            **money,
            "duration_ratio": round(ratio, 4),
            "chance_kept": round(chance_kept, 3),
            "max_duration_ratio": round(candidate.bounds.slowdown, 4),
            "break_even_ratio": None if candidate.bounds.gain == math.inf else round(candidate.bounds.gain, 4),
            "p95_ratio": round(ratio, 4),
            "p95_ms": round(now.durations.quantile(0.95) * ratio, 3),
            "environments_busy": round(demand.mean, 3),
            "provisioned_worth_it": worth_holding(demand, facts.rates, after_mb, policy.provisioned_concurrency)
            if facts.rates is not None and facts.rates.has_provisioned
            else None,
            **({"unpriced": unpriced} if unpriced else {}),
            **owner_facts(owner),
        },
        effect=Effect(latency_ms=_rounded(expected(slower, chance_kept), 3), usd_month=usd_month),
    )


def _money(
    facts: FunctionFacts, policy: Policy, candidate: Candidate, before_usd: float, *, is_needed: bool
) -> tuple[Interval | None, dict[str, float | None]]:
    """Return the expected change of the bill in USD a month, None where the calls are not known, and its evidence."""
    ratios, chance_kept = candidate.outcome.ratio, candidate.outcome.chance_kept
    mean_ms = facts.history.sizes[facts.live.version.memory_mb].durations.mean
    after_usd, *bills = (bill(facts, candidate.after_mb, mean_ms * r, r) for r in _spread(ratios))
    gain = _gain(facts, policy.memory, ratios.estimate, (before_usd, after_usd), is_needed=is_needed)
    usd = expected(Interval(after_usd - before_usd, *(b - before_usd for b in sorted(bills))), chance_kept)
    return (
        _rounded(usd, 4) if facts.calls_day is not None else None,
        {
            "price_ratio": round(after_usd / before_usd, 4),
            "gain_usd_month": None if is_needed or facts.calls_day is None else round(gain * before_usd, 4),
        },
    )


def _require_calls(facts: FunctionFacts, limits: Memory, now: SizeHistory, weight: float) -> None:
    """Raise where a canary would get too few calls to be judged: it would only be rolled back."""
    if not weight or facts.calls_day is None:
        return
    needed = calls_needed(now.durations.variation, limits.max_slowdown, weight)
    longest = max(limits.watch_minutes[-1], limits.longest_watch_hours * 60)
    expected_calls = facts.calls_day * weight * longest / _DAY_MINUTES
    if expected_calls < needed:
        raise NoProposal(
            f"A canary would get about {expected_calls:.0f} calls during its observation, and {needed:.0f} are needed "
            f"to judge it; raise memory.canary_weight or memory.longest_watch_hours."
        )


def _require_bill(facts: FunctionFacts, limits: Memory, before_usd: float) -> None:
    """Raise where no change could gain enough, because the whole bill is less."""
    if facts.calls_day is not None and before_usd <= limits.min_savings_usd_month:
        raise NoProposal(
            f"No change needed: its calls cost ${before_usd:,.2f} a month, and a change must gain "
            f"${limits.min_savings_usd_month:,.2f} (memory.min_savings_usd_month)."
        )


def _require_speed(limits: Memory, ratio: float) -> None:
    """Raise where calls would take too long."""
    if ratio > limits.max_slowdown:
        raise NoProposal(
            f"The better size would make calls {ratio:.2f} times as long; {limits.max_slowdown:g} times is allowed "
            f"(memory.max_slowdown)."
        )


def _gain(facts: FunctionFacts, limits: Memory, ratio: float, bills: tuple[float, float], *, is_needed: bool) -> float:
    """Return the gain as a share of the bill; raise where it is not worth a change. bills: before and after."""
    before_usd, price_ratio = bills[0], bills[1] / bills[0]
    gain = 1 - price_ratio * (ratio if limits.goal == "balanced" else 1.0)
    if gain < limits.min_gain and not is_needed:
        comes_to = f"save {gain:.1%}" if gain >= 0 else f"cost {-gain:.1%} more"
        raise NoProposal(
            f"No change needed: the best size would {comes_to}; {limits.min_gain:.1%} is needed (memory.min_gain)."
        )
    if gain < least_gain(facts, limits, before_usd) and not is_needed:
        raise NoProposal(
            f"No change needed: the best size would gain ${gain * before_usd:,.2f} a month; "
            f"${limits.min_savings_usd_month:,.2f} is needed (memory.min_savings_usd_month)."
        )
    return gain


def _headroom_reason(used_mb: int, limits: Memory, before_mb: int, after_mb: int) -> str:
    return (
        f"{before_mb} MB is below the required {used_mb * limits.headroom:.0f} MB ({limits.headroom:g} x the peak "
        f"usage of {used_mb} MB); {after_mb} MB is enough."
    )


def _reason(candidate: Candidate, now: SizeHistory, usd_month: Interval | None) -> str:
    duration_ms = candidate.decision.predicted[candidate.after_mb]
    share = f"{candidate.weight:.0%} of" if candidate.weight else "all"
    facts = [
        bill_words(usd_month.estimate) if usd_month else "",
        f"{figure(duration_ms.low)}-{figure(duration_ms.high)} ms expected (now {figure(now.durations.mean)} ms)",
        f"{candidate.outcome.chance_kept:.0%} likely to be kept" if candidate.weight else "",
    ]
    return (
        f"Try {candidate.after_mb} MB on {share} calls: {', '.join(filter(None, facts))}. "
        f"It is kept if calls take at most {candidate.bounds.most:.2f} times as long."
    )


def _spread(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high


def _rounded(interval: Interval, digits: int) -> Interval:
    return Interval(*(round(value, digits) for value in _spread(interval)))
