"""Guardrails of one change of provisioned concurrency. Giving some back is always allowed: it only frees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.core import Change
from optimizer.guardrails.verdict import Refusal, number, optional_number
from optimizer.policy import ProvisionedConcurrency

DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class ProvisionedState:
    """The function and its account just before the change. `environments`: what the function holds (the `max` of
    its scaling target, if it has one). `account_unreserved`: the account's UnreservedConcurrentExecutions.
    `reserved_concurrency`: the function's own, None without. `allocated_elsewhere`: provisioned environments of
    the other functions that are known."""

    environments: int
    account_unreserved: int
    reserved_concurrency: int | None = None
    allocated_elsewhere: int = 0


def environments_of(part: Mapping[str, Any]) -> int:
    """The most environments that `before` or `after` may allocate."""
    held = [number(part, "environments")]
    held += [value for name in ("min", "max") if (value := optional_number(part, name)) is not None]
    held += [number(entry, "environments") for entry in (part.get("timetable") or {}).get("entries", ())]
    return int(max(held))


def usd_day(change: Change) -> float:
    """What its provisioned concurrency costs a day: by a timetable, on the dearest day of the week."""
    usd_month = number(change.evidence, "usd_month")
    if not change.after.get("timetable"):
        return usd_month / DAYS_A_MONTH
    return max(number(change.evidence, "usd_dearest_day"), usd_month / DAYS_A_MONTH)


def grows(change: Change, live: ProvisionedState) -> bool:
    """Whether it takes more than there is, in environments, in the least of a scaling target, or in money. Needs every
    number that the totals need, so that a change without them is refused before it is counted."""
    usd_before, usd_after = usd_month_before(change), number(change.evidence, "usd_month")
    least_before = optional_number(change.before, "min") or 0.0
    least_after = optional_number(change.after, "min") or 0.0
    return environments_of(change.after) > live.environments or least_after > least_before or usd_after > usd_before


def usd_month_before(change: Change) -> float:
    """What the function's provisioned concurrency costs a month now."""
    if environments_of(change.before) == 0:
        return optional_number(change.evidence, "usd_month_before") or 0.0
    return number(change.evidence, "usd_month_before")


def per_function(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Not more environments than one function may hold."""
    after = environments_of(change.after)
    if after > limits.max_per_function:
        return Refusal(
            "provisioned_concurrency.per_function",
            f"{after} environments are more than the {limits.max_per_function} that one function may hold.",
        )
    return None


def by_the_hour(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """No timetable where the policy wants none."""
    if change.after.get("timetable") and not limits.by_the_hour:
        return Refusal("provisioned_concurrency.by_the_hour", "The policy allows no timetables.")
    return None


def cost(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """One function alone must fit the budget of a day and of a month."""
    return over_budget(number(change.evidence, "usd_month"), usd_day(change), limits)


def over_budget(usd_month: float, usd_a_day: float, limits: ProvisionedConcurrency) -> Refusal | None:
    """Whether that much a month, and a day, breaks the budget of a day or of a month."""
    if usd_a_day > limits.max_usd_day:
        return Refusal(
            "provisioned_concurrency.usd_day",
            f"{usd_a_day:.2f} USD a day is more than the {limits.max_usd_day:.2f} allowed.",
        )
    if usd_month > limits.max_usd_month:
        return Refusal(
            "provisioned_concurrency.usd_month",
            f"{usd_month:.2f} USD a month is more than the {limits.max_usd_month:.2f} allowed.",
        )
    return None


def utilisation(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Used enough to be worth what it costs."""
    expected = number(change.evidence, "utilisation")
    if expected < limits.min_utilisation:
        return Refusal(
            "provisioned_concurrency.utilisation",
            f"It would be used to {expected:.0%}; {limits.min_utilisation:.0%} is the least worth paying for.",
        )
    return None


def concurrency(change: Change, live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Within the function's own reserved concurrency, else leaving the account as much as the policy wants free."""
    after = environments_of(change.after)
    if live.reserved_concurrency is not None:
        if after > live.reserved_concurrency:
            return Refusal(
                "provisioned_concurrency.reserved",
                f"{after} environments are more than the function's {live.reserved_concurrency} reserved.",
            )
        return None
    free = live.account_unreserved - live.allocated_elsewhere - after
    if free < limits.account_concurrency_free:
        return Refusal(
            "provisioned_concurrency.account",
            f"It would leave {free} of the account's concurrency free; "
            f"{limits.account_concurrency_free} must stay free.",
        )
    return None


RULES: tuple[Callable[[Change, ProvisionedState, ProvisionedConcurrency], Refusal | None], ...] = (
    by_the_hour,
    per_function,
    cost,
    utilisation,
    concurrency,
)
