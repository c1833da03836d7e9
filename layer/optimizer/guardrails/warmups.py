"""Guardrails of one plan of warm-up pings. A plan without pings takes them away and is always allowed."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.core import Change
from optimizer.guardrails.verdict import Refusal, number
from optimizer.policy import Warmups

DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class WarmupState:
    """schedules: in place for the function; the new plan replaces them. The rest: what the plans in place of all
    other functions keep warm and cost, which the acting Lambda reads; the plan of a run has a budget of its own."""

    schedules: int
    environments_elsewhere: int = 0
    usd_day_elsewhere: float = 0.0


def per_function(change: Change, _live: WarmupState, limits: Warmups) -> Refusal | None:
    """Not more environments kept warm than one function may have."""
    most = number(change.after, "most_environments")
    if most > limits.max_environments_per_function:
        return Refusal(
            "warmups.per_function",
            f"{most:g} environments at once are more than the {limits.max_environments_per_function} allowed.",
        )
    return None


def in_all(change: Change, live: WarmupState, limits: Warmups) -> Refusal | None:
    """Not more environments kept warm than all functions together may have."""
    return over_total(live.environments_elsewhere + number(change.after, "most_environments"), limits)


def cost(change: Change, live: WarmupState, limits: Warmups) -> Refusal | None:
    """The plan must fit the budget of a day and of a month, with those in place elsewhere."""
    return over_budget(live.usd_day_elsewhere + number(change.after, "usd_day"), limits)


def over_total(environments: float, limits: Warmups) -> Refusal | None:
    """Whether that many environments are too many for all functions together."""
    if environments > limits.max_environments_total:
        return Refusal(
            "warmups.total",
            f"{environments:g} warm environments in all are more than the {limits.max_environments_total} allowed.",
        )
    return None


def over_budget(usd_day: float, limits: Warmups) -> Refusal | None:
    """Whether that much a day breaks the budget of a day or of a month."""
    if usd_day > limits.max_usd_day:
        return Refusal("warmups.usd_day", f"{usd_day:.4f} USD a day is more than the {limits.max_usd_day:.4f} allowed.")
    if usd_day * DAYS_A_MONTH > limits.max_usd_month:
        return Refusal(
            "warmups.usd_month",
            f"{usd_day * DAYS_A_MONTH:.2f} USD a month is more than the {limits.max_usd_month:.2f} allowed.",
        )
    return None


def takes_away(change: Change) -> bool:
    """Whether the plan has no pings."""
    return number(change.after, "pings") == 0


RULES: tuple[Callable[[Change, WarmupState, Warmups], Refusal | None], ...] = (per_function, in_all, cost)
