"""The limits of a group of functions together, and the rest of them while changes are admitted. Pure.

One group is the whole account with the policy's own limits; each entry of `budgets` is another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from optimizer.core import Change, Tuner
from optimizer.guardrails import provisioned_concurrency as pc, warmups
from optimizer.guardrails.verdict import Refusal, number
from optimizer.policy import Budget, Memory, Policy, ProvisionedConcurrency, Warmups


@dataclass(frozen=True, slots=True)
class Held:
    """Provisioned concurrency of a function without a proposal; None means not known. tags: those that the policy
    names."""

    environments: int | None
    usd_month: float | None
    usd_day: float | None = None
    """Cost of a timetable's most expensive day; None if every day costs the same."""
    tags: Mapping[str, str] | None = None


class Totals:
    """The rest of a group's limits while changes are admitted one after another.

    place: the path of the group's entry in the policy; empty for the whole account."""

    def __init__(self, warm: Warmups, provisioned: ProvisionedConcurrency, memory: Memory, place: str = "") -> None:
        self._warm, self._provisioned, self._memory, self._place = warm, provisioned, memory, place
        self.warm_environments = 0.0
        self.environments = 0
        self._warm_usd_day = 0.0
        self._usd_month = 0.0
        self._usd_day = 0.0
        self._raised_usd_month = 0.0
        self._all_is_known = True

    @classmethod
    def of_account(cls, policy: Policy) -> "Totals":
        """Return the limits of all functions together."""
        return cls(policy.warmups, policy.provisioned_concurrency, policy.memory)

    @classmethod
    def of_budget(cls, policy: Policy, budget: Budget, number_: int) -> "Totals":
        """Return the limits of an entry of `budgets`; what it does not limit is unlimited here."""

        def limits(section: Any, part: Any, names: tuple[str, ...]) -> Any:
            given = {name: getattr(part, name) for name in names}
            return replace(section, **{name: inf if value is None else value for name, value in given.items()})

        return cls(
            limits(policy.warmups, budget.warmups, ("max_environments_total", "max_usd_day", "max_usd_month")),
            limits(
                policy.provisioned_concurrency,
                budget.provisioned_concurrency,
                ("max_total", "max_usd_day", "max_usd_month"),
            ),
            limits(policy.memory, budget.memory, ("max_usd_month",)),
            f"budgets[{number_}] ({budget.name})" if budget.name else f"budgets[{number_}]",
        )

    def hold(self, held: Held) -> None:
        """Deduct what a function holds already."""
        if held.environments is None or held.usd_month is None:
            self._all_is_known = False
        self.environments += held.environments or 0
        self._usd_month += held.usd_month or 0.0
        self._usd_day += max(held.usd_day or 0.0, (held.usd_month or 0.0) / pc.DAYS_A_MONTH)

    def raised(self, usd_month: float) -> None:
        """Deduct what larger memory sizes of earlier runs add to the bill."""
        self._raised_usd_month += usd_month

    def take(self, change: Change) -> None:
        """Deduct a change."""
        if change.tuner is Tuner.WARMUPS and not warmups.removes_pings(change):
            self.warm_environments += number(change.after, "most_environments")
            self._warm_usd_day += number(change.after, "usd_day")
        if change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            # A reduction of another function is not spent again in this run: it may be rejected or rolled back.
            more, usd_more, usd_day_more = more_provisioned(change)
            self.environments += max(0, more)
            self._usd_month += max(0.0, usd_more)
            self._usd_day += max(0.0, usd_day_more)
        if change.tuner is Tuner.MEMORY:
            self._raised_usd_month += raised_usd_month(change)

    def refusal(self, change: Change) -> Refusal | None:
        """Return the limit that the change exceeds, or None."""
        found = self._exceeded(change)
        if found is None or not self._place:
            return found
        return Refusal(f"budgets.{found.rule}", f"{self._place}: {found.message}", found.recommends)

    def _exceeded(self, change: Change) -> Refusal | None:
        if change.tuner is Tuner.WARMUPS and not warmups.removes_pings(change):
            environments = self.warm_environments + number(change.after, "most_environments")
            usd_day = self._warm_usd_day + number(change.after, "usd_day")
            return warmups.over_total(environments, self._warm) or warmups.over_budget(usd_day, self._warm)
        if change.tuner is Tuner.PROVISIONED_CONCURRENCY and adds_environments(change):
            return self._over_provisioned(change)
        if change.tuner is Tuner.MEMORY:
            return self._over_raised(change)
        return None

    def _over_provisioned(self, change: Change) -> Refusal | None:
        more, usd_more, usd_day_more = more_provisioned(change)
        if not self._all_is_known:
            return Refusal(
                "evidence",
                "The provisioned concurrency of another function, or its cost, is not known, so neither is the total.",
            )
        if self.environments + more > self._provisioned.max_total:
            return Refusal(
                "provisioned_concurrency.total",
                f"{self.environments + more} environments would be provisioned in total; "
                f"provisioned_concurrency.max_total allows {self._provisioned.max_total}.",
            )
        return pc.over_budget(self._usd_month + usd_more, self._usd_day + usd_day_more, self._provisioned)

    def _over_raised(self, change: Change) -> Refusal | None:
        if change.evidence.get("unpriced") and self._memory.max_usd_month <= 0:
            return Refusal(
                "memory.usd_month",
                f"{change.evidence['unpriced']} memory.max_usd_month allows no larger bill, so it is only recommended.",
                recommends=True,
            )
        more = raised_usd_month(change)
        total = self._raised_usd_month + more
        if more <= 0 or total <= self._memory.max_usd_month:
            return None
        return Refusal(
            "memory.usd_month",
            f"Larger sizes would add {total:.2f} USD a month to the bill; memory.max_usd_month allows "
            f"{self._memory.max_usd_month:.2f} USD. So it is only recommended.",
            recommends=True,
        )


def raised_usd_month(change: Change) -> float:
    """Return what a larger memory size is expected to add to the bill; 0 of a smaller one, or where it is not known."""
    larger = number(change.after, "memory_mb") > number(change.before, "memory_mb")
    usd = change.effect.usd_month
    return max(0.0, usd.estimate) if larger and usd else 0.0


def more_provisioned(change: Change) -> tuple[int, float, float]:
    """Return the environments that a change adds, and their USD a month and on the most expensive day."""
    environments = pc.environments_of(change.after) - pc.environments_of(change.before)
    usd_before = pc.usd_month_before(change)
    usd_month = number(change.evidence, "usd_month") - usd_before
    return environments, usd_month, pc.usd_day(change) - usd_before / pc.DAYS_A_MONTH


def adds_environments(change: Change) -> bool:
    """Return True if a change of provisioned concurrency needs more environments or more money."""
    return pc.grows(change, pc.ProvisionedState(pc.environments_of(change.before), 0))
