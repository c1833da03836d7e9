"""Proposes for one function an amount of provisioned concurrency, or says why not. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from optimizer.capacity.function_facts import FunctionFacts, Proposal, owner_facts
from optimizer.capacity.live_function import LiveFunction
from optimizer.capacity.obstacles import Obstacle, obstacle
from optimizer.capacity.provisioned.amount import Amount, change_id_of, held, place
from optimizer.capacity.provisioned.load import Demand, provisioned_usd_month, usd_month, worth_holding
from optimizer.capacity.provisioned.propose_timetable import bill_difference, plan_timetable, use_of
from optimizer.core import Change, Effect, Interval, NoChange, Risk, Tuner
from optimizer.policy import Mode, Policy
from optimizer.prices import aws_lambda

_DAYS_A_MONTH = 365 / 12
# Days of traffic by the minute without which nothing is said about provisioned concurrency.
_LEAST_DAYS = 3.0


def plan_provisioned(seen: FunctionFacts, policy: Policy) -> Proposal:
    """A Change, or why not. Both hold what the function costs now."""
    live, limits = seen.live, policy.provisioned_concurrency
    architecture, memory_mb = live.version.architecture, live.version.memory_mb
    now = Amount.in_place(seen.in_place, live) if seen.in_place else held(live)
    facts = held_facts(now, live)

    def unchanged(reason: str) -> NoChange:
        return NoChange(seen.run_id, Tuner.PROVISIONED_CONCURRENCY, seen.target, reason, facts)

    blocked = obstacle(Tuner.PROVISIONED_CONCURRENCY, live)
    unknown = _unknown(seen, now, blocked)
    if unknown:
        return unchanged(unknown)
    wanted = worth_holding(seen.demand, architecture, memory_mb, limits)
    if live.reserved is not None and wanted >= live.reserved:
        return unchanged(f"All of the {live.reserved} reserved environments would be provisioned; $LATEST would stop.")
    wanted = _with_what_is_held(wanted, now, seen)
    by_the_hour = plan_timetable(seen, now, wanted, limits)
    if isinstance(by_the_hour, NoChange) or (by_the_hour is not None and not blocked):
        return by_the_hour
    if now.timetable is None and wanted == (now.bounds.minimum if now.bounds else now.environments):
        use = seen.demand.utilisation(wanted or 1)
        return unchanged(
            f"{wanted} environments are right: {'they are' if wanted else 'one would be'} used to {use:.0%}."
        )
    if blocked and policy.mode_of(Tuner.PROVISIONED_CONCURRENCY) is not Mode.RECOMMEND:
        return unchanged(f"{wanted} environments would be better, but: {blocked.message}")
    if now.timetable is not None:
        return _without_timetable(seen, now, wanted, facts)
    return _provisioned_change(seen, now, wanted, facts, blocked)


def _unknown(seen: FunctionFacts, now: Amount, blocked: Obstacle | None) -> str:
    """Why nothing can be said; empty if something can."""
    if blocked and not blocked.owner:
        return blocked.message
    if seen.demand.days < _LEAST_DAYS or seen.calls_day is None:
        return f"{seen.demand.days:.1f} days of traffic are known; {_LEAST_DAYS:g} are needed."
    return _unlike_timetable(now, seen.live)


def _with_what_is_held(wanted: int, now: Amount, seen: FunctionFacts) -> int:
    if now.timetable is not None:
        return max(wanted, now.floor)
    if now.bounds is not None:
        return max(wanted, now.bounds.minimum)
    if wanted < now.environments:
        # What the team bought for latency stays, down to the most that was ever used.
        return min(now.environments, max(wanted, seen.need_most or now.environments))
    return wanted


def held_facts(now: Amount, live: LiveFunction) -> dict[str, Any]:
    """What the totals of a run need to know of a function that stays as it is."""
    architecture, memory_mb = live.version.architecture, live.version.memory_mb
    if now.timetable is not None:
        usd = now.timetable.usd_month(architecture, memory_mb)
        day = now.timetable.usd_dearest_day(architecture, memory_mb)
        return {
            "environments": now.environments,
            "usd_month": round(usd, 4),
            "usd_dearest_day": round(day, 4),
            "timetable": now.timetable.document(),
        }
    usd = provisioned_usd_month(architecture, memory_mb, now.environments)
    return {"environments": now.environments, "usd_month": round(usd, 4)}


def _unlike_timetable(now: Amount, live: LiveFunction) -> str:
    """Why a timetable that is in place cannot be judged; empty if it can, or there is none."""
    if not live.plans:
        return ""
    if set(live.plans) != {now.plan}:
        return f"Schedules of {', '.join(map(change_id_of, live.plans))} are in place; its record was not found."
    if place(live) not in now.places:
        return f"{place(live)[0]} environments were set by somebody else, beside the timetable that is in place."
    return ""


def _provisioned_change(
    seen: FunctionFacts, now: Amount, wanted: int, facts: Mapping[str, Any], owner: Obstacle | None
) -> Change:
    live = seen.live
    architecture, memory_mb = live.version.architecture, live.version.memory_mb
    before = now.document()
    after = _after(now, wanted)
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
            f"above {float(aws_lambda.break_even_utilisation(architecture)):.0%} they cost less than on demand."
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
            **owner_facts(owner),
        },
        effect=Effect(
            usd_month=Interval(round(difference, 4), round(difference - spread, 4), round(difference + spread, 4))
        ),
    )


def _after(now: Amount, wanted: int) -> dict[str, int]:
    if now.bounds is None:
        return {"environments": wanted}
    most = max(now.bounds.maximum, wanted)
    return {"environments": most, "min": wanted, "max": most}


def _without_timetable(seen: FunctionFacts, now: Amount, wanted: int, facts: Mapping[str, Any]) -> Change:
    """The timetable in place is worth less than `wanted` environments at all times, or none."""
    live, after = seen.live, _after(now, wanted)
    architecture, memory_mb = live.version.architecture, live.version.memory_mb
    usd_month = provisioned_usd_month(architecture, memory_mb, wanted)
    effect = Effect()
    if seen.days is not None and len(seen.days.whole()):
        days = seen.days.whole()
        effect = Effect(usd_month=bill_difference(seen, now, usd_month, use_of(Amount(wanted), days).busy, days))
    words = now.timetable.words() if now.timetable else ""
    return Change(
        run_id=seen.run_id,
        tuner=Tuner.PROVISIONED_CONCURRENCY,
        action="set_provisioned_concurrency",
        target=seen.target,
        before=now.document(),
        after=after,
        reason=f"What is in place ({words}) is worth less than {wanted or 'no'} environments at all times.",
        undo=now.document(),
        risk=Risk.LOW,
        evidence={
            "alias": live.alias,
            "version": live.alias_version,
            "memory_mb": memory_mb,
            "usd_month": round(provisioned_usd_month(architecture, memory_mb, after["environments"]), 4),
            "usd_month_before": facts["usd_month"],
            "utilisation": round(seen.demand.utilisation(wanted), 4),
            "reserved_concurrency": live.reserved,
            "days": round(seen.demand.days, 2),
        },
        effect=effect,
    )


def _day_spread(demand: Demand) -> float:
    days = [float(demand.busy[at : at + 1440].mean()) for at in range(0, len(demand.busy) - 1439, 1440)]
    mean = sum(days) / len(days) if days else 0.0
    if len(days) < 2 or mean == 0:
        return 1.0
    return 1.96 * math.sqrt(sum((day - mean) ** 2 for day in days) / (len(days) - 1) / len(days)) / mean


def _mean_ms(seen: FunctionFacts) -> float:
    size = seen.history.sizes.get(seen.live.version.memory_mb)
    if size is not None and size.durations.count:
        return size.durations.mean
    # Little's law backwards: busy environments are calls a millisecond times their duration.
    return seen.demand.mean * 86_400_000 / seen.calls_day if seen.calls_day else 0.0
