"""Guardrails of the whole run: limits on all changes together that would be applied."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, zip_longest

from optimizer.core import (
    CONFIGURATION,
    FUNCTION_TUNERS,
    Change,
    MalformedChange,
    Rejection,
    Risk,
    StoredChange,
    Tuner,
    function_name,
)
from optimizer.guardrails import indexes, provisioned_concurrency as pc, warmups
from optimizer.guardrails.totals import Held, Totals, adds_environments, more_provisioned, raised_usd_month
from optimizer.guardrails.verdict import MissingNumber, Refusal, number
from optimizer.policy import Chosen, Policy

_EVERYBODY = Chosen()
_RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)


@dataclass(frozen=True, slots=True)
class Account:
    """Facts of the account that the plan is checked against.

    `targets`: number of functions that were checked. `unreserved_concurrency`: None if it could not be read; changes
    that need it are then blocked. `cool_downs`: end of the cool-down by resource and tuner. `held`: by resource.
    `observed`: changes of earlier runs that are under observation, by resource and tuner. `rejections`: of earlier
    changes of the same kind, by the id of the proposed one. `asked`, `waiting`: earlier proposals for the same resource
    that wait for people, and those that wait for their window, by the id of the proposed one. `turns`: when the pings
    of a function lately got a place in a run, by resource. `raised`: changes to larger memory sizes of earlier
    runs that count in the budget of this one."""

    targets: int
    unreserved_concurrency: int | None = None
    cool_downs: Mapping[tuple[str, Tuner], datetime] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)
    observed: Mapping[tuple[str, Tuner], StoredChange] = field(default_factory=dict)
    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    asked: Mapping[str, Refusal] = field(default_factory=dict)
    waiting: Mapping[str, Refusal] = field(default_factory=dict)
    turns: Mapping[str, datetime] = field(default_factory=dict)
    raised: Sequence[Change] = ()


def best_first(changes: Iterable[Change]) -> list[Change]:
    """Return the changes by USD saved, cold starts avoided, latency saved, bytes freed, lower risk, and id.

    An effect that is not known counts as zero."""

    def key(change: Change) -> tuple[float, float, float, float, int, str]:
        effect = change.effect
        parts = (effect.usd_month, effect.cold_starts_month, effect.latency_ms)
        usd, cold_starts, latency_ms = (part.estimate if part else 0.0 for part in parts)
        return usd, cold_starts, latency_ms, -_bytes_freed(change), _RISKS.index(change.risk), change.id

    return sorted(changes, key=key)


def is_new_plan(change: Change) -> bool:
    """Return True for pings of a function that has none scheduled.

    To renew or to remove pings changes nothing of a function, so it takes no place of a run."""
    return change.tuner is Tuner.WARMUPS and not warmups.removes_pings(change) and not change.before.get("schedules")


def _pings_first(change: Change, turns: Mapping[str, datetime]) -> tuple[bool, float, float, str]:
    """Return a key that orders plans of pings by cold starts avoided for a dollar.

    A function that lately had its turn and still has no pings comes after those that had none."""
    lately = turns.get(change.target) if is_new_plan(change) else None
    usd, cold_starts = change.effect.usd_month, change.effect.cold_starts_month
    avoided = -cold_starts.estimate if cold_starts else 0.0
    is_free = warmups.removes_pings(change) or usd is None or usd.estimate <= 0
    worth = math.inf if is_free or usd is None else avoided / usd.estimate
    return lately is not None, lately.timestamp() if lately else 0.0, -worth, change.id


def in_turn(changes: Iterable[Change], turns: Mapping[str, datetime]) -> list[Change]:
    """Return the changes in rounds: in each the best one of every tuner that is left.

    Tuners cannot be compared: changes of indexes and TTLs have no price and would otherwise never get a place. Plans of
    pings all cost money, so the cheapest is not the best: their order is that of cold starts avoided for a dollar."""
    by_tuner: dict[Tuner, list[Change]] = {}
    for change in best_first(changes):
        by_tuner.setdefault(change.tuner, []).append(change)
    if Tuner.WARMUPS in by_tuner:
        by_tuner[Tuner.WARMUPS].sort(key=lambda change: _pings_first(change, turns))
    return [change for turn in zip_longest(*by_tuner.values()) for change in turn if change is not None]


def _bytes_freed(change: Change) -> float:
    """Return the disk space that a rebuild or a dropped index frees; 0 where it is not known."""
    if change.tuner is not Tuner.INDEXES:
        return 0.0
    found = change.evidence.get("saves_bytes")
    if found is None and change.action.startswith("drop"):
        found = change.before.get("size_bytes")
    return float(found) if isinstance(found, (int, float)) else 0.0


def functions_allowed(share: float, targets: int) -> int:
    """Return how many functions a run may change: the share, and at least one unless it allows none at all."""
    return min(targets, max(1, int(share * targets))) if share > 0 else 0


def needs_account(change: Change) -> bool:
    """Return True if the account's unreserved concurrency is needed to decide on the change."""
    if change.tuner is Tuner.WARMUPS:
        return bool(change.after.get("pings")) and change.evidence.get("reserved_concurrency") is None
    return change.tuner is Tuner.PROVISIONED_CONCURRENCY


class Budget:
    """The rest of the run's limits while changes are admitted one after another."""

    def __init__(self, policy: Policy, account: Account, proposals: Iterable[Change]) -> None:
        self._policy = policy
        self._account = account
        self._admitted: list[Tuner] = []
        self._functions: set[str] = set()
        self._indexes = indexes.IndexRunLimits(policy.indexes)
        self._configured: dict[str, Change] = {}
        self._warm_unreserved = 0.0
        self._all = Totals.of_account(policy)
        budgets = [(each, Totals.of_budget(policy, each, number)) for number, each in enumerate(policy.budgets)]
        self._budgets: Sequence[tuple[Chosen, Totals]] = [(_EVERYBODY, self._all), *budgets]
        for target, held in chain(account.held.items(), _held_before(proposals)):
            for totals in self._of(target, held.tags or {}):
                totals.hold(held)
        for kept in account.raised:
            for totals in self._of_change(kept):
                totals.raised(raised_usd_month(kept))

    def admit(self, change: Change) -> Refusal | None:
        """Deduct the change from the budget; return the limit that it exceeds instead, and deduct nothing."""
        takes_place = change.tuner is not Tuner.WARMUPS or is_new_plan(change)
        refusal = self._count(change, takes_place) or self._totals(change)
        if refusal is None:
            if takes_place:
                self._admitted.append(change.tuner)
            if takes_place and change.tuner in FUNCTION_TUNERS:
                self._functions.add(function_name(change.target))
            self.reserve(change)
        return refusal

    def reserve(self, change: Change) -> None:
        """Deduct a change that waits since an earlier run from the totals.

        It may still be applied, but takes no place of this run: otherwise requests that nobody responds to would keep a
        run from changing anything else."""
        if change.tuner is Tuner.INDEXES:
            self._indexes.take(change)
        if change.tuner in CONFIGURATION:
            self._configured[function_name(change.target)] = change
        is_unreserved = change.evidence.get("reserved_concurrency") is None
        if change.tuner is Tuner.WARMUPS and is_unreserved and not warmups.removes_pings(change):
            self._warm_unreserved += number(change.after, "most_environments")
        for totals in self._of_change(change):
            totals.take(change)

    def _count(self, change: Change, takes_place: bool) -> Refusal | None:
        """Block a change for which there is no place. Renewed pings need none, except where the policy allows none."""
        limits, targets = self._policy.run, self._account.targets
        if not takes_place and limits.max_changes and limits.max_changes_share:
            return None
        if len(self._admitted) + 1 > limits.max_changes:
            others = "of all tuners in turn" if set(self._admitted) - {change.tuner} else "with a higher benefit"
            return Refusal(
                "run.max_changes",
                f"Blocked: run.max_changes allows {limits.max_changes} changes; "
                f"{len(self._admitted)} {others} come first.",
            )
        # The share counts functions only: a share of two databases or of one cache would be less than one.
        allowed = functions_allowed(limits.max_changes_share, targets)
        if change.tuner in FUNCTION_TUNERS and len(self._functions | {function_name(change.target)}) > allowed:
            return Refusal(
                "run.max_changes_share",
                f"Blocked: run.max_changes_share allows changes of {limits.max_changes_share:.0%} of {targets} "
                f"functions ({allowed}); {len(self._functions)} with a higher benefit come first.",
            )
        return None

    def configured_by(self, change: Change) -> Change | None:
        """Return the admitted change of the same function's memory or provisioned concurrency; None without one.

        The effects of two such changes could not be told apart."""
        return self._configured.get(function_name(change.target)) if change.tuner in CONFIGURATION else None

    def _totals(self, change: Change) -> Refusal | None:
        if change.tuner is Tuner.INDEXES:
            return self._indexes.refusal(change)
        over = next(filter(None, (totals.refusal(change) for totals in self._of_change(change))), None)
        if over is not None:
            return over
        if change.tuner is Tuner.WARMUPS and not warmups.removes_pings(change):
            return self._account_for_pings(change)
        if change.tuner is Tuner.PROVISIONED_CONCURRENCY and adds_environments(change):
            return self._account_for_provisioned(change)
        return None

    def _of_change(self, change: Change) -> Iterator[Totals]:
        """Yield the totals that a change counts in."""
        if change.tuner in FUNCTION_TUNERS:
            yield from self._of(change.target, change.evidence.get("tags") or {})

    def _of(self, target: str, tags: Mapping[str, str]) -> Iterator[Totals]:
        try:
            name = function_name(target)
        except MalformedChange:
            name = target
        return (totals for chosen, totals in self._budgets if chosen.fits(name, tags))

    def _account_for_pings(self, change: Change) -> Refusal | None:
        """Block pings of a function without a reservation that take what the account must keep free. All pings may lie
        in one minute."""
        unreserved = self._account.unreserved_concurrency or 0
        if change.evidence.get("reserved_concurrency") is not None:
            return None
        taken = self._all.environments + self._warm_unreserved + number(change.after, "most_environments")
        return warmups.over_account(
            int(unreserved - taken), self._policy.provisioned_concurrency.account_concurrency_free
        )

    def _account_for_provisioned(self, change: Change) -> Refusal | None:
        if change.evidence.get("reserved_concurrency") is not None:
            return None
        more, _, _ = more_provisioned(change)
        free = (self._account.unreserved_concurrency or 0) - self._all.environments - more
        return pc.over_account(free, self._policy.provisioned_concurrency)


def over_budget_alone(change: Change, policy: Policy, tags: Mapping[str, str]) -> Refusal | None:
    """Return the limit of a group of functions that a change exceeds by itself, or None."""
    if change.tuner not in FUNCTION_TUNERS:
        return None
    name = function_name(change.target)
    groups = [Totals.of_budget(policy, each, n) for n, each in enumerate(policy.budgets) if each.fits(name, tags)]
    return next(filter(None, (totals.refusal(change) for totals in (Totals.of_account(policy), *groups))), None)


def _held_before(proposals: Iterable[Change]) -> Iterator[tuple[str, Held]]:
    for change in proposals:
        if change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            tags = change.evidence.get("tags")
            try:
                held = Held(pc.environments_of(change.before), pc.usd_month_before(change), None, tags)
            except MissingNumber:
                held = Held(None, None, None, tags)
            yield change.target, held
