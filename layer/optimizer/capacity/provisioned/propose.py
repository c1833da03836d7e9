"""Proposes for one function an amount of provisioned concurrency, or says why not. Pure."""

import math

from optimizer.capacity.function_facts import FunctionFacts, Proposal, owner_facts
from optimizer.capacity.live_function import LiveFunction
from optimizer.capacity.obstacles import Obstacle, obstacle
from optimizer.capacity.provisioned.amount import Amount, change_id_of, place
from optimizer.capacity.provisioned.load import (
    DAYS_A_MONTH,
    Demand,
    provisioned_usd_month,
    usd_month,
    worth_holding,
)
from optimizer.capacity.provisioned.proposal import held_facts, leave, propose
from optimizer.capacity.provisioned.propose_timetable import bill_difference, plan_timetable, use_of
from optimizer.capacity.reasons import bill_words
from optimizer.core import Change, Interval, NoChange, Risk, Tuner
from optimizer.policy import Mode, Policy
from optimizer.prices import aws_lambda

# Days of traffic by the minute without which nothing is said about provisioned concurrency.
_LEAST_DAYS = 3.0


def plan_provisioned(seen: FunctionFacts, policy: Policy) -> Proposal:
    """A Change, or why not. Both hold what the function costs now."""
    live, now, limits = seen.live, seen.amount, policy.provisioned_concurrency
    blocked = obstacle(Tuner.PROVISIONED_CONCURRENCY, live)
    unknown = _unknown(seen, now, blocked)
    if unknown:
        return leave(seen, unknown)
    wanted = worth_holding(seen.demand, live.version.architecture, live.version.memory_mb, limits)
    if live.reserved is not None and wanted >= live.reserved:
        return leave(
            seen, f"All of the {live.reserved} reserved environments would be provisioned; $LATEST would stop."
        )
    wanted = _with_what_is_held(wanted, now, seen)
    by_the_hour = plan_timetable(seen, wanted, limits)
    if isinstance(by_the_hour, NoChange) or (by_the_hour is not None and not blocked):
        return by_the_hour
    if now.timetable is None and wanted == now.always:
        return leave(seen, f"No change needed: {_use_words(seen, wanted)}.")
    if blocked and policy.mode_of(Tuner.PROVISIONED_CONCURRENCY) is not Mode.RECOMMEND:
        return leave(seen, f"{wanted} provisioned environments would be better. {blocked.message}")
    return _change(seen, wanted, blocked)


def _unknown(seen: FunctionFacts, now: Amount, blocked: Obstacle | None) -> str:
    """Why nothing can be said; empty if something can."""
    if blocked and not blocked.owner:
        return blocked.message
    if seen.demand.days < _LEAST_DAYS or seen.calls_day is None:
        return f"{seen.demand.days:.1f} days of traffic are known; at least {_LEAST_DAYS:g} are needed."
    return _unlike_timetable(now, seen.live)


def _with_what_is_held(wanted: int, now: Amount, seen: FunctionFacts) -> int:
    if now.timetable is not None or now.bounds is not None:
        return max(wanted, now.always)
    if wanted < now.environments:
        # What the team bought for latency stays, down to the most that was ever used.
        return min(now.environments, max(wanted, seen.need_most or now.environments))
    return wanted


def _unlike_timetable(now: Amount, live: LiveFunction) -> str:
    """Why a timetable that is in place cannot be judged; empty if it can, or there is none."""
    if not live.plans:
        return ""
    if set(live.plans) != {now.plan}:
        return f"Schedules of {', '.join(map(change_id_of, live.plans))} are in place, but its record was not found."
    if place(live) not in now.places:
        return f"A timetable is in place, but somebody else set the provisioned concurrency to {place(live)[0]}."
    return ""


def _change(seen: FunctionFacts, wanted: int, owner: Obstacle | None) -> Change:
    now, version, after = seen.amount, seen.live.version, _after(seen.amount, wanted)
    difference = _bill_difference(seen, wanted) if now.timetable is None else _without_timetable(seen, wanted)
    usd_after = provisioned_usd_month(version.architecture, version.memory_mb, after["environments"])
    return propose(
        seen,
        "set_provisioned_concurrency",
        after,
        _why(seen, wanted, difference),
        Risk.LOW if now.timetable is not None or wanted > now.always else Risk.MEDIUM,
        {
            "usd_month": round(usd_after, 4),
            "usd_month_before": held_facts(seen)["usd_month"],
            "utilisation": round(seen.demand.utilisation(wanted), 4),
            "days": round(seen.demand.days, 2),
            **owner_facts(owner),
        },
        difference,
    )


def _why(seen: FunctionFacts, wanted: int, usd_month: Interval | None) -> str:
    now, bill = seen.amount, bill_words(usd_month.estimate) if usd_month else "the effect on the bill is not known"
    if now.timetable is not None:
        return (
            f"Replace the timetable ({now.timetable.words()}) by {wanted or 'no'} environments at all times: {bill}; "
            f"the timetable is no longer worth more."
        )
    if wanted < now.always:
        return (
            f"Provision {wanted} environments (now {now.always}): {bill}; never more than {wanted} were needed at once."
        )
    return f"Provision {wanted} environments (now {now.always}): {bill}; {_use_words(seen, wanted)}."


def _use_words(seen: FunctionFacts, environments: int) -> str:
    """Return `they are busy 90% of the time; above 60% they cost less than on demand`."""
    pays = float(aws_lambda.break_even_utilisation(seen.live.version.architecture))
    busy = f"busy {seen.demand.utilisation(environments or 1):.0%} of the time"
    who = f"{environments} provisioned environments are" if environments else "one provisioned environment would be"
    return f"{who} {busy}; above {pays:.0%} they cost less than on demand"


def _bill_difference(seen: FunctionFacts, wanted: int) -> Interval:
    """From one amount at all times to another. Traffic differs from week to week; the days seen say by how much."""
    version, calls_month = seen.live.version, (seen.calls_day or 0.0) * DAYS_A_MONTH
    before, after = (
        usd_month(seen.demand, version.architecture, version.memory_mb, _mean_ms(seen), calls_month, environments)
        for environments in (seen.amount.always, wanted)
    )
    difference = after - before
    spread = abs(difference) * _day_spread(seen.demand)
    return Interval(round(difference, 4), round(difference - spread, 4), round(difference + spread, 4))


def _without_timetable(seen: FunctionFacts, wanted: int) -> Interval | None:
    """From the timetable in place to an amount at all times; None where no whole day is known."""
    days = seen.days.whole() if seen.days is not None else None
    if not days:
        return None
    after = Amount(wanted)
    return bill_difference(seen, after, use_of(after, days).busy, days)


def _after(now: Amount, wanted: int) -> dict[str, int]:
    if now.bounds is None:
        return {"environments": wanted}
    most = max(now.bounds.maximum, wanted)
    return {"environments": most, "min": wanted, "max": most}


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
