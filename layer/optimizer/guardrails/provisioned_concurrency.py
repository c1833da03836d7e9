"""Guardrails of one change of provisioned concurrency. A reduction is always allowed, because it only frees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.core import Change
from optimizer.guardrails.verdict import Refusal, number, optional_number
from optimizer.policy import ProvisionedConcurrency

DAYS_A_MONTH = 365 / 12
# Shares in evidence have four digits.
_ROUNDED = 1e-4


@dataclass(frozen=True, slots=True)
class ProvisionedState:
    """The function and its account just before the change.

    `environments`: provisioned for the function (the `max` of its scaling target, if it has one).
    `account_unreserved`: the account's UnreservedConcurrentExecutions. `reserved_concurrency`: the function's own, or
    None. `allocated_elsewhere`: provisioned environments of the other functions that are known."""

    environments: int
    account_unreserved: int
    reserved_concurrency: int | None = None
    allocated_elsewhere: int = 0


def environments_of(part: Mapping[str, Any]) -> int:
    """Return the most environments that `before` or `after` may allocate."""
    held = [number(part, "environments")]
    held += [value for name in ("min", "max") if (value := optional_number(part, name)) is not None]
    held += [number(entry, "environments") for entry in (part.get("timetable") or {}).get("entries", ())]
    return int(max(held))


def usd_day(change: Change) -> float:
    """Return the cost in USD of a day after the change; with a timetable, of the most expensive day of the week."""
    usd_month = number(change.evidence, "usd_month")
    if not change.after.get("timetable"):
        return usd_month / DAYS_A_MONTH
    return max(number(change.evidence, "usd_dearest_day"), usd_month / DAYS_A_MONTH)


def grows(change: Change, live: ProvisionedState) -> bool:
    """Return True if the change needs more environments, a higher minimum of the scaling target, or more money.

    It reads every number that the totals need, so that a change without them is blocked before it is counted."""
    usd_before, usd_after = usd_month_before(change), number(change.evidence, "usd_month")
    least_before = optional_number(change.before, "min") or 0.0
    least_after = optional_number(change.after, "min") or 0.0
    return environments_of(change.after) > live.environments or least_after > least_before or usd_after > usd_before


def usd_month_before(change: Change) -> float:
    """Return the cost in USD of a month before the change."""
    if environments_of(change.before) == 0:
        return optional_number(change.evidence, "usd_month_before") or 0.0
    return number(change.evidence, "usd_month_before")


def per_function(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Block more environments than one function may have."""
    after = environments_of(change.after)
    if after > limits.max_per_function:
        return Refusal(
            "provisioned_concurrency.per_function",
            f"It would have {after} environments; provisioned_concurrency.max_per_function allows "
            f"{limits.max_per_function}.",
        )
    return None


def by_the_hour(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Block a timetable if the policy does not allow any."""
    if change.after.get("timetable") and not limits.by_the_hour:
        return Refusal(
            "provisioned_concurrency.by_the_hour", "provisioned_concurrency.by_the_hour allows no timetables."
        )
    return None


def cost(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Block a function that alone exceeds the budget of a day or of a month."""
    return over_budget(number(change.evidence, "usd_month"), usd_day(change), limits)


def over_budget(usd_month: float, usd_a_day: float, limits: ProvisionedConcurrency) -> Refusal | None:
    """Block these costs if they exceed the budget of a day or of a month."""
    if usd_a_day > limits.max_usd_day:
        return Refusal(
            "provisioned_concurrency.usd_day",
            f"It would cost {usd_a_day:.2f} USD a day; provisioned_concurrency.max_usd_day allows "
            f"{limits.max_usd_day:.2f} USD.",
        )
    if usd_month > limits.max_usd_month:
        return Refusal(
            "provisioned_concurrency.usd_month",
            f"It would cost {usd_month:.2f} USD a month; provisioned_concurrency.max_usd_month allows "
            f"{limits.max_usd_month:.2f} USD.",
        )
    return None


def utilisation(change: Change, _live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Block environments that would be used too little to be worth their price."""
    # Of timetables, avoided cold starts count as use, by their worth.
    earned = optional_number(change.evidence, "earned_share")
    expected = number(change.evidence, "utilisation") if earned is None else earned
    if limits.min_utilisation is not None:
        least, source = limits.min_utilisation, "provisioned_concurrency.min_utilisation requires"
    else:
        # Evidence of an older version names the break-even of another Region, or none.
        if "prices" not in change.evidence or optional_number(change.evidence, "least_utilisation") is None:
            return Refusal(
                "provisioned_concurrency.utilisation",
                "Its evidence names no prices of its Region, so it is not known from which utilisation on it pays; "
                "the next run plans it again, or set provisioned_concurrency.min_utilisation.",
            )
        least, source = number(change.evidence, "least_utilisation"), "at the prices of its Region it pays from"
    if expected < least - _ROUNDED:
        return Refusal(
            "provisioned_concurrency.utilisation",
            f"Its utilisation would be {expected:.0%}; {source} {least:.0%}.",
        )
    return None


def concurrency(change: Change, live: ProvisionedState, limits: ProvisionedConcurrency) -> Refusal | None:
    """Block more than the function's reserved concurrency, or more than leaves enough of the account's free."""
    after = environments_of(change.after)
    if live.reserved_concurrency is not None:
        if after > live.reserved_concurrency:
            return Refusal(
                "provisioned_concurrency.reserved",
                f"{after} environments exceed the function's reserved concurrency of {live.reserved_concurrency}.",
            )
        return None
    return over_account(live.account_unreserved - live.allocated_elsewhere - after, limits)


def over_account(free: int, limits: ProvisionedConcurrency) -> Refusal | None:
    """Block to leave only this much of the account's concurrency free if the policy requires more."""
    if free < limits.account_concurrency_free:
        return Refusal(
            "provisioned_concurrency.account",
            f"It would leave {free} of the account's concurrency free; "
            f"provisioned_concurrency.account_concurrency_free requires {limits.account_concurrency_free}.",
        )
    return None


RULES: tuple[Callable[[Change, ProvisionedState, ProvisionedConcurrency], Refusal | None], ...] = (
    by_the_hour,
    per_function,
    cost,
    utilisation,
    concurrency,
)
