"""Guardrails of one plan of warm-up pings. A plan without pings takes them away and is always allowed."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.changes import Change
from optimizer.guardrails.verdict import Refusal, number
from optimizer.policy.model import Warmups

DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class Live:
    """The schedules that are in place for the function; the new plan replaces them."""

    schedules: int


def per_function(change: Change, _live: Live, limits: Warmups) -> Refusal | None:
    """Not more environments kept warm than one function may have."""
    most = number(change.after, "most_environments")
    if most > limits.max_environments_per_function:
        return Refusal(
            "warmups.per_function",
            f"{most:g} environments at once are more than the {limits.max_environments_per_function} allowed.",
        )
    return None


def cost(change: Change, _live: Live, limits: Warmups) -> Refusal | None:
    """One function alone must fit the budget of a day and of a month."""
    return over_budget(number(change.after, "usd_day"), limits)


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


RULES: tuple[Callable[[Change, Live, Warmups], Refusal | None], ...] = (per_function, cost)
