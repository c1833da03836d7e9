"""Guardrails of one plan of warm-up pings. A plan without pings removes them and is always allowed."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.core import Change
from optimizer.guardrails.verdict import Refusal, number
from optimizer.policy import Warmups

DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class WarmupState:
    """Warm-ups in place just before the change.

    `schedules`: those of the function, which the new plan replaces. `environments_elsewhere`, `usd_day_elsewhere`:
    what the plans of all other functions keep warm, and their cost. Only the acting Lambda reads these two; a run has
    a budget of its own."""

    schedules: int
    environments_elsewhere: int = 0
    usd_day_elsewhere: float = 0.0


def per_function(change: Change, _live: WarmupState, limits: Warmups) -> Refusal | None:
    """Block more warm environments than one function may have."""
    most = number(change.after, "most_environments")
    if most > limits.max_environments_per_function:
        return Refusal(
            "warmups.per_function",
            f"{most:g} environments would be kept warm; warmups.max_environments_per_function allows "
            f"{limits.max_environments_per_function}.",
        )
    return None


def in_all(change: Change, live: WarmupState, limits: Warmups) -> Refusal | None:
    """Block more warm environments than all functions together may have."""
    return over_total(live.environments_elsewhere + number(change.after, "most_environments"), limits)


def cost(change: Change, live: WarmupState, limits: Warmups) -> Refusal | None:
    """Block a plan that, with those of other functions, exceeds the budget of a day or of a month."""
    return over_budget(live.usd_day_elsewhere + number(change.after, "usd_day"), limits)


def over_total(environments: float, limits: Warmups) -> Refusal | None:
    """Block this many warm environments if all functions together may not have them."""
    if environments > limits.max_environments_total:
        return Refusal(
            "warmups.total",
            f"{environments:g} environments would be kept warm in total; warmups.max_environments_total allows "
            f"{limits.max_environments_total}.",
        )
    return None


def over_account(left: int, keep_free: int) -> Refusal | None:
    """Block pings that leave less of the account's unreserved concurrency than must stay free."""
    if left < keep_free:
        return Refusal(
            "warmups.account",
            f"Pings would leave {left} of the account's unreserved concurrency; "
            f"provisioned_concurrency.account_concurrency_free asks for {keep_free}.",
        )
    return None


def over_budget(usd_day: float, limits: Warmups) -> Refusal | None:
    """Block this cost a day if it exceeds the budget of a day or of a month."""
    if usd_day > limits.max_usd_day:
        return Refusal(
            "warmups.usd_day",
            f"Warm-ups would cost {usd_day:.4f} USD a day; warmups.max_usd_day allows {limits.max_usd_day:.4f} USD.",
        )
    if usd_day * DAYS_A_MONTH > limits.max_usd_month:
        return Refusal(
            "warmups.usd_month",
            f"Warm-ups would cost {usd_day * DAYS_A_MONTH:.2f} USD a month; warmups.max_usd_month allows "
            f"{limits.max_usd_month:.2f} USD.",
        )
    return None


def removes_pings(change: Change) -> bool:
    """Return True if the plan has no pings."""
    return number(change.after, "pings") == 0


RULES: tuple[Callable[[Change, WarmupState, Warmups], Refusal | None], ...] = (per_function, in_all, cost)
