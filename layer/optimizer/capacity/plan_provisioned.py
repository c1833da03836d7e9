"""Proposes for one function an amount of provisioned concurrency, or says why not. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from optimizer.capacity import prices
from optimizer.capacity.demand import Demand, provisioned_usd_month, usd_month, worth_holding
from optimizer.capacity.obstacles import Obstacle, obstacle
from optimizer.capacity.provisioned_life import held
from optimizer.capacity.seen import Proposal, Seen, owner_facts
from optimizer.changes import Change, Effect, Interval, NoChange, Risk, Tuner
from optimizer.policy.model import Mode, Policy

_DAYS_A_MONTH = 365 / 12
# Days of traffic by the minute without which nothing is said about provisioned concurrency.
_LEAST_DAYS = 3.0


def plan_provisioned(seen: Seen, policy: Policy) -> Proposal:
    """A Change, or why not. Both hold what the function costs now."""
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
            **owner_facts(owner),
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
