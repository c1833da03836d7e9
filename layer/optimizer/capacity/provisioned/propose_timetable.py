"""Proposes provisioned concurrency by the hour for one function. Pure.

A timetable is proposed where it is worth more than the same amount at all times, than none, and than what is in place.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from optimizer.capacity.function_facts import FunctionFacts, Proposal, bill_words
from optimizer.capacity.obstacles import scheduling_hindrance
from optimizer.capacity.provisioned.amount import Amount
from optimizer.capacity.provisioned.best_week import best_week, surely_more
from optimizer.capacity.provisioned.load import budget_month, least_worth, provisioned_usd_month
from optimizer.capacity.provisioned.local_days import LocalDays, Use, use
from optimizer.capacity.provisioned.proposal import leave, propose, usd_month_of
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.core import Change, Interval, NoChange, Risk
from optimizer.policy import ProvisionedConcurrency
from optimizer.prices import Rates, aws_lambda
from optimizer.traffic import Floats

ACTION = "schedule_provisioned_concurrency"
# A week of whole days, so that every weekday is known.
_LEAST_DAYS = 7
_WEEK_HOURS = 168
_WEEKS_A_MONTH = aws_lambda.SECONDS_A_MONTH / (_WEEK_HOURS * 3600)


@dataclass(frozen=True, slots=True)
class Choice:
    """A timetable with its use on days that it was not made from, and the kinds of days that were taken together."""

    timetable: Timetable
    tried: Use
    days: LocalDays
    kinds: str
    floor: int

    @property
    def utilisation(self) -> float:
        """The share of the time held beyond the floor that was busy (0 to 1)."""
        floor = use_of(Amount(self.floor), self.days)
        held = float((self.tried.held - floor.held).sum())
        return float((self.tried.busy - floor.busy).sum()) / held if held else 0.0

    @property
    def earned(self) -> float:
        """The same with the worth of avoided cold starts counted as use."""
        floor = use_of(Amount(self.floor), self.days)
        held = float((self.tried.held - floor.held).sum())
        return self.utilisation + (float((self.tried.cold_starts - floor.cold_starts).sum()) / held if held else 0.0)


def plan_timetable(facts: FunctionFacts, flat: int, limits: ProvisionedConcurrency) -> Proposal | None:
    """Return a Change to a timetable, or a NoChange where the one in place stays.

    None: `flat` environments at all times are as good.
    """
    before = facts.amount
    days = facts.days.whole() if facts.days is not None else None
    if not limits.by_the_hour or scheduling_hindrance(facts.live):
        return None
    if days is None or len(days) < _LEAST_DAYS:
        return _unchanged(facts, None) if before.timetable else None
    rates = facts.known_rates
    if aws_lambda.cheaper_usd(rates) <= 0:
        # Calls on it cost as much as on demand, so that no use of it can earn anything.
        return None
    least = least_worth(rates, limits)
    days = replace(days.scaled(facts.level_ahead), cold_start_hours=facts.cold_start_usd / _busy_hour_usd(facts))
    now = use_of(before, days).worth(least)
    always = use_of(Amount(flat), days).worth(least)
    choice = _choose(facts, days, least, limits)
    if choice is not None:
        worth = choice.tried.worth(least)
        if choice.earned >= least and all(surely_more(worth, other, days.weekdays) for other in (now, always)):
            return _change(facts, choice, least)
    if before.timetable is None or surely_more(always, now, days.weekdays):
        return None
    return _unchanged(facts, days)


def _choose(facts: FunctionFacts, days: LocalDays, least: float, limits: ProvisionedConcurrency) -> Choice | None:
    """Return the best timetable within the limits; None where no hour is worth more than the others."""
    version, reserved, rates = facts.live.version, facts.live.reserved, facts.known_rates
    most = limits.max_per_function if reserved is None else min(limits.max_per_function, reserved - 1)
    floor = facts.amount.always
    while most > floor:
        week = best_week(days, least_utilisation=least, most=most, floor=floor)
        timetable = replace(Timetable.of_hours(week.hours, facts.timezone), holidays=facts.holidays)
        if not timetable.entries:
            return None
        usd_month = timetable.usd_month(rates, version.memory_mb)
        usd_day = timetable.usd_dearest_day(rates, version.memory_mb)
        if usd_month <= budget_month(limits) and usd_day <= limits.max_usd_day:
            return Choice(timetable, week.tried, days, week.kinds, floor)
        most = min(most, timetable.most) - 1
    return None


def _change(facts: FunctionFacts, choice: Choice, least: float) -> Change:
    before, timetable, tried = facts.amount, choice.timetable, choice.tried
    rates, memory_mb = facts.known_rates, facts.live.version.memory_mb
    after: dict[str, Any] = {"environments": timetable.most, "floor": choice.floor, "timetable": timetable.document()}
    if before.bounds is not None:
        most = max(before.bounds.maximum, timetable.most)
        after |= {"environments": most, "min": timetable.most, "max": most}
    usd_month = timetable.usd_month(rates, memory_mb)
    difference = bill_difference(facts, Amount(timetable.most, timetable=timetable), tried.busy, choice.days)
    avoided = cold_starts_month(facts, tried.cold_starts, choice.days)
    worst = min((b / h for b, h in zip(tried.busy.tolist(), tried.held.tolist(), strict=True) if h), default=0.0)
    return propose(
        facts,
        ACTION,
        after,
        (
            f"{timetable.words()}: busy {choice.utilisation:.0%} of that time over the last {len(choice.days)} days, "
            f"each tested with a timetable made from the others; {bill_words(difference.estimate)}. "
            f"{_buys(rates, least)}; the other hours are below that. Holding costs ${usd_month:,.2f} a month, "
            f"and ${provisioned_usd_month(rates, memory_mb, timetable.most):,.2f} if done at all times."
            f"{_cold_words(facts, avoided)}"
        ),
        Risk.LOW,
        {
            "architecture": rates.architecture,
            "usd_month": round(usd_month, 4),
            "usd_month_before": round(usd_month_of(before, rates, memory_mb), 4),
            "usd_dearest_day": round(timetable.usd_dearest_day(rates, memory_mb), 4),
            "utilisation": round(choice.utilisation, 4),
            "earned_share": round(choice.earned, 4),
            "utilisation_worst_day": round(worst, 4),
            "least_utilisation": round(least, 4),
            "environment_hours_week": sum(timetable.hours()),
            "days": len(choice.days),
            "kinds_of_days": choice.kinds,
            "level_ahead": round(facts.level_ahead, 4),
            "by": "Application Auto Scaling" if before.bounds else "EventBridge Scheduler",
        },
        difference,
        avoided,
    )


def _cold_words(facts: FunctionFacts, avoided: Interval | None) -> str:
    """Return the sentence about avoided cold starts, whose worth counts as use; empty where there are none."""
    if avoided is None or avoided.estimate > -1:
        return ""
    return f" About {-avoided.estimate:,.0f} cold starts a month are avoided; each counts ${facts.cold_start_usd:.2g}."


def _buys(rates: Rates, least: float) -> str:
    pays = float(aws_lambda.break_even_utilisation(rates))
    if least < pays - 0.001:
        return f"Above {least:.0%} the policy buys latency"
    if pays > 1:
        return f"In {rates.region} environments pay only with the worth of avoided cold starts, from {least:.0%} on"
    return f"Above {least:.0%} environments cost less than on demand"


def _unchanged(facts: FunctionFacts, days: LocalDays | None) -> NoChange:
    assert facts.amount.timetable is not None  # noqa: S101  asked for only then
    words = facts.amount.timetable.words()
    if not days:
        return leave(facts, f"The timetable stays ({words}): fewer than {_LEAST_DAYS} whole days of traffic are known.")
    busy = use_of(facts.amount, days).utilisation
    return leave(facts, f"No change needed: {words}, busy {busy:.0%} of that time.")


def bill_difference(facts: FunctionFacts, after: Amount, busy_after: Floats, days: LocalDays) -> Interval:
    """Return the change of the bill in USD a month, with its 95 % interval over the days.

    It is the price of the held environments, less the savings of the calls on them. busy_after: environment-hours that
    are busy on each of the days.
    """
    rates, memory_mb = facts.known_rates, facts.live.version.memory_mb
    usd_busy_hour = _busy_hour_usd(facts)
    more = busy_after - use_of(facts.amount, days).busy
    busy_hours, spread_hours = _month(more, days)
    usd_held = usd_month_of(after, rates, memory_mb) - usd_month_of(facts.amount, rates, memory_mb)
    usd = usd_held - usd_busy_hour * busy_hours
    spread = usd_busy_hour * spread_hours
    return Interval(round(usd, 4), round(usd - spread, 4), round(usd + spread, 4))


def use_of(amount: Amount, days: LocalDays) -> Use:
    """Return the use of an amount on the days."""
    most, week = amount.always, [amount.always] * _WEEK_HOURS
    if amount.timetable is not None:
        most, week = amount.timetable.most, list(amount.timetable.hours())
    return use(days.used(most), days.worth_of_cold_starts(most), days.weekdays, [week] * len(days))


def cold_starts_month(facts: FunctionFacts, avoided_after: Floats, days: LocalDays) -> Interval | None:
    """Return the change of the cold starts of a month, with its 95 % interval over the days; None where not known.

    avoided_after: what avoided cold starts are worth on each of the days, in hours of a busy environment."""
    if days.cold is None or not days.cold_start_hours:
        return None
    less = (avoided_after - use_of(facts.amount, days).cold_starts) / days.cold_start_hours
    month, spread = _month(less, days)
    return Interval(round(-month, 2), round(-month - spread, 2), round(-month + spread, 2))


def _busy_hour_usd(facts: FunctionFacts) -> float:
    """Return what calls of an hour cost less on a provisioned environment."""
    cheaper = aws_lambda.cheaper_usd(facts.known_rates)
    return float(aws_lambda.gb_seconds(facts.live.version.memory_mb, 3_600_000) * cheaper)


def _month(values: Floats, days: LocalDays) -> tuple[float, float]:
    """Return the sum over a month of values by day, and half its 95 % interval."""
    week = [values[days.weekdays == day] for day in range(7)]
    total = sum(float(same.mean()) for same in week if len(same))
    error = math.sqrt(sum(float(same.var(ddof=1)) / len(same) for same in week if len(same) > 1))
    return _WEEKS_A_MONTH * total, 1.96 * _WEEKS_A_MONTH * error
