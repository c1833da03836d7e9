"""Proposes an amount of provisioned concurrency for one function, or says why none. Pure."""

import math

from optimizer.capacity.function_facts import FunctionFacts, Proposal, bill_words, owner_facts
from optimizer.capacity.live_function import LiveFunction
from optimizer.capacity.obstacles import Obstacle, obstacle
from optimizer.capacity.provisioned.amount import Amount, change_id_of, place
from optimizer.capacity.provisioned.load import (
    DAYS_A_MONTH,
    Demand,
    least_worth,
    provisioned_usd_month,
    usd_month,
    worth_holding,
)
from optimizer.capacity.provisioned.proposal import held_facts, leave, propose
from optimizer.capacity.provisioned.propose_timetable import bill_difference, plan_timetable, use_of
from optimizer.core import Change, Interval, NoChange, Risk, Tuner
from optimizer.policy import Policy, ProvisionedConcurrency
from optimizer.prices import aws_lambda

# With fewer days of traffic by the minute, nothing is proposed.
_LEAST_DAYS = 3.0


def plan_provisioned(facts: FunctionFacts, policy: Policy) -> Proposal:
    """Return a Change, or a NoChange with the reason; both hold what the function costs now."""
    live, now, limits = facts.live, facts.amount, policy.provisioned_concurrency
    blocked = obstacle(Tuner.PROVISIONED_CONCURRENCY, live)
    unknown = _unknown(facts, now, blocked)
    if unknown:
        return leave(facts, unknown)
    wanted = worth_holding(facts.demand, facts.known_rates, live.version.memory_mb, limits)
    if live.reserved is not None and wanted >= live.reserved:
        return leave(
            facts, f"All of the {live.reserved} reserved environments would be provisioned; $LATEST would stop."
        )
    wanted = _with_what_is_held(wanted, now, facts)
    by_the_hour = plan_timetable(facts, wanted, limits)
    if isinstance(by_the_hour, NoChange) or (by_the_hour is not None and not blocked):
        return by_the_hour
    if now.timetable is None and wanted == now.always:
        return leave(facts, f"No change needed: {_use_words(facts, wanted)}.")
    return _change(facts, wanted, blocked, limits)


def _unknown(facts: FunctionFacts, now: Amount, blocked: Obstacle | None) -> str:
    """Return the reason that nothing can be proposed; empty if something can."""
    if blocked and not blocked.owner:
        return blocked.message
    if facts.demand.days < _LEAST_DAYS or facts.calls_day is None:
        return f"{facts.demand.days:.1f} days of traffic are known; at least {_LEAST_DAYS:g} are needed."
    if unpriced := facts.unpriced(provisioned=True):
        return unpriced
    return _unlike_timetable(now, facts.live)


def _with_what_is_held(wanted: int, now: Amount, facts: FunctionFacts) -> int:
    if now.timetable is not None or now.bounds is not None:
        return max(wanted, now.always)
    if wanted < now.environments:
        # Environments that the team bought for latency stay, down to the most that were ever needed.
        return min(now.environments, max(wanted, facts.need_most or now.environments))
    return wanted


def _unlike_timetable(now: Amount, live: LiveFunction) -> str:
    """Return the reason that the timetable in place cannot be judged; empty if it can, or if there is none."""
    if not live.plans:
        return ""
    if set(live.plans) != {now.plan}:
        return f"Schedules of {', '.join(map(change_id_of, live.plans))} are in place, but its record was not found."
    if place(live) not in now.places:
        return f"A timetable is in place, but somebody else set the provisioned concurrency to {place(live)[0]}."
    return ""


def _change(facts: FunctionFacts, wanted: int, owner: Obstacle | None, limits: ProvisionedConcurrency) -> Change:
    now, version, after = facts.amount, facts.live.version, _after(facts.amount, wanted)
    difference = _bill_difference(facts, wanted) if now.timetable is None else _without_timetable(facts, wanted)
    usd_after = provisioned_usd_month(facts.known_rates, version.memory_mb, after["environments"])
    return propose(
        facts,
        "set_provisioned_concurrency",
        after,
        _why(facts, wanted, difference),
        Risk.LOW if now.timetable is not None or wanted > now.always else Risk.MEDIUM,
        {
            "usd_month": round(usd_after, 4),
            "usd_month_before": held_facts(facts)["usd_month"],
            "utilisation": round(facts.demand.utilisation(wanted), 4),
            "least_utilisation": _finite(least_worth(facts.known_rates, limits)),
            "days": round(facts.demand.days, 2),
            **owner_facts(owner),
        },
        difference,
    )


def _why(facts: FunctionFacts, wanted: int, usd_month: Interval | None) -> str:
    now, bill = facts.amount, bill_words(usd_month.estimate) if usd_month else "the effect on the bill is not known"
    if now.timetable is not None:
        return (
            f"Replace the timetable ({now.timetable.words()}) by {wanted or 'no'} environments at all times: {bill}; "
            f"the timetable is no longer worth more."
        )
    if wanted < now.always:
        return (
            f"Provision {wanted} environments (now {now.always}): {bill}; never more than {wanted} were needed at once."
        )
    return f"Provision {wanted} environments (now {now.always}): {bill}; {_use_words(facts, wanted)}."


def _use_words(facts: FunctionFacts, environments: int) -> str:
    """Return `they are busy 90% of the time; above 60% they cost less than on demand`."""
    rates = facts.known_rates
    pays = float(aws_lambda.break_even_utilisation(rates))
    busy = f"busy {facts.demand.utilisation(environments or 1):.0%} of the time"
    who = f"{environments} provisioned environments are" if environments else "one provisioned environment would be"
    if pays > 1:
        return f"{who} {busy}; in {rates.region} they never cost less than on demand"
    return f"{who} {busy}; above {pays:.0%} they cost less than on demand"


def _finite(least: float) -> float | None:
    """Return the share that is needed, None where no share is enough."""
    return round(least, 4) if math.isfinite(least) else None


def _bill_difference(facts: FunctionFacts, wanted: int) -> Interval:
    """Return the change of the bill from one amount at all times to another.

    Traffic differs from week to week; its spread over the known days gives the interval.
    """
    version, calls_month = facts.live.version, (facts.calls_day or 0.0) * DAYS_A_MONTH
    before, after = (
        usd_month(facts.demand, facts.known_rates, version.memory_mb, _mean_ms(facts), calls_month, environments)
        for environments in (facts.amount.always, wanted)
    )
    difference = after - before
    spread = abs(difference) * _day_spread(facts.demand)
    return Interval(round(difference, 4), round(difference - spread, 4), round(difference + spread, 4))


def _without_timetable(facts: FunctionFacts, wanted: int) -> Interval | None:
    """Return the change of the bill from a timetable to an amount at all times; None where no whole day is known."""
    days = facts.days.whole() if facts.days is not None else None
    if not days:
        return None
    after = Amount(wanted)
    return bill_difference(facts, after, use_of(after, days).busy, days)


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


def _mean_ms(facts: FunctionFacts) -> float:
    size = facts.history.sizes.get(facts.live.version.memory_mb)
    if size is not None and size.durations.count:
        return size.durations.mean
    # Little's law backwards: busy environments are calls a millisecond times their duration.
    return facts.demand.mean * 86_400_000 / facts.calls_day if facts.calls_day else 0.0
