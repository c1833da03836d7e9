"""All guardrails in their order: those of each change, then those of the run."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from optimizer.core import (
    CONFIGURATION,
    FUNCTION_TUNERS,
    Change,
    MalformedChange,
    Tuner,
    Way,
    best_way,
    function_name,
    observed_together,
    under_observation,
)
from optimizer.guardrails import calendar, indexes, warmups
from optimizer.guardrails.registry import OF_TUNER
from optimizer.guardrails.run import Account, Budget, in_turn, over_budget_alone
from optimizer.guardrails.totals import adds_environments
from optimizer.guardrails.verdict import PASSES, Decision, MissingNumber, Refusal, Verdict
from optimizer.policy import Mode, Permission, Policy, settings_of_change, settings_of_function, without_promises

_DECISIONS = {Mode.AUTO: Decision.AUTOMATIC, Mode.APPROVE: Decision.ASK, Mode.RECOMMEND: Decision.RECOMMENDED}
_STRICTER = {
    Permission.ASK: {Decision.AUTOMATIC: Decision.ASK},
    Permission.RECOMMEND: {Decision.AUTOMATIC: Decision.RECOMMENDED, Decision.ASK: Decision.RECOMMENDED},
}
_MESSAGES = {
    Decision.AUTOMATIC: f"{PASSES}; the policy applies it automatically.",
    Decision.ASK: f"{PASSES}; the policy requires approval.",
    Decision.RECOMMENDED: f"{PASSES}; the policy only recommends it.",
}


_AVOID_COLD_STARTS = (Tuner.WARMUPS, Tuner.PROVISIONED_CONCURRENCY)
_PINGS_LATER = Refusal(
    "warmups.provisioned",
    "Provisioned concurrency of the function is raised in this run. The next run plans pings for what is left; "
    "those in place stay until then.",
)
_PINGS_INSTEAD = Refusal(
    "provisioned_concurrency.warmups",
    "Pings of this run avoid cold starts of the function for less. A later run proposes provisioned concurrency if it "
    "gains more than they do.",
)


def check(proposals: Sequence[Change], policy: Policy, account: Account, now: datetime) -> list[Verdict]:
    """Return a verdict for every proposal, in the order of the proposals, which has no influence on the verdicts.

    docs/architecture.md gives the order in which the rules apply."""
    verdicts: dict[str, Verdict] = {}
    acting: dict[str, Change] = {}
    for change in proposals:
        rest = _rest(change, account, now)
        refusal = None if rest else _alone(change, policy, account)
        decision = _decision(change, policy) if refusal is None else Decision.REFUSED
        if refusal is None and decision is Decision.ASK:
            rest = rest or _rejected(change, account)
        if rest is None and decision in (Decision.AUTOMATIC, Decision.ASK):
            acting[change.id] = change
            rest = _waits(change, decision, account)
        verdicts[change.id] = _postponed(change, rest) if rest else _verdict(change, decision, refusal)
    better = _better_pinged(proposals, policy)
    budget, warmed = Budget(policy, account, proposals), _Warmed(better)
    for change in _one_of_two(in_turn(acting.values(), account.turns), verdicts, better):
        decision = verdicts[change.id].verdict
        if decision is Decision.POSTPONED:
            budget.reserve(change)
            continue
        earlier = warmed.instead(change, decision)
        verdicts[change.id] = _admitted(change, verdicts[change.id], earlier, policy, budget, now)
        if verdicts[change.id].verdict is decision:
            warmed.take(change, decision)
    return [verdicts[change.id] for change in proposals]


def _admitted(
    change: Change, verdict: Verdict, earlier: Refusal | None, policy: Policy, budget: Budget, now: datetime
) -> Verdict:
    """Return the verdict on a change that may be applied, by what comes before it, by windows and by the budget."""
    first = budget.configured_by(change)
    if first is not None:
        return _postponed(change, _after(first))
    if earlier is not None:
        return _postponed(change, earlier)
    closed = calendar.closed(policy, now, change.tuner)
    wait = calendar.wait_for_window(policy, change, now) if closed else None
    if closed and wait is None:
        return _postponed(change, _later(closed))
    refusal = budget.admit(change)
    if refusal:
        return _verdict(change, Decision.REFUSED, refusal)
    return replace(verdict, message=_when_it_opens(verdict.verdict, policy, wait.until)) if wait else verdict


@dataclass(slots=True)
class _Warmed:
    """The functions that get pings, or more provisioned concurrency, in this run; by target, the decision.

    better_pinged: functions whose pings gain more."""

    better_pinged: Set[str]
    pinged: dict[str, Decision] = field(default_factory=dict)
    raised: dict[str, Decision] = field(default_factory=dict)

    def instead(self, change: Change, decision: Decision) -> Refusal | None:
        """Return why the change waits for the other way of avoiding cold starts; what is automatic never waits for
        people."""
        before = (Decision.AUTOMATIC, decision)
        if _adds_pings(change) and self.raised.get(change.target) in before:
            return _PINGS_LATER
        if change.target in self.better_pinged and _raises(change) and self.pinged.get(change.target) in before:
            return _PINGS_INSTEAD
        return None

    def take(self, change: Change, decision: Decision) -> None:
        """Record an admitted change."""
        if _adds_pings(change):
            self.pinged[change.target] = decision
        elif _raises(change):
            self.raised[change.target] = decision


def _adds_pings(change: Change) -> bool:
    return change.tuner is Tuner.WARMUPS and not warmups.removes_pings(change)


def _raises(change: Change) -> bool:
    return change.tuner is Tuner.PROVISIONED_CONCURRENCY and adds_environments(change)


def _better_pinged(proposals: Sequence[Change], policy: Policy) -> set[str]:
    """Return the functions whose pings gain more than provisioned concurrency that costs more than it saves.

    Environments that cost less than on demand are worth their price beside any pings."""
    ways: dict[str, dict[Tuner, Way]] = {}
    for change in proposals:
        usd, cold_starts = change.effect.usd_month, change.effect.cold_starts_month
        if change.tuner in _AVOID_COLD_STARTS and cold_starts is not None:
            ways.setdefault(change.target, {})[change.tuner] = Way(usd.estimate if usd else 0.0, -cold_starts.estimate)
    worths = {change.target: _worth(change, policy) for change in proposals if change.tuner is Tuner.WARMUPS}
    return {
        target
        for target, both in ways.items()
        if len(both) == len(_AVOID_COLD_STARTS)
        and both[Tuner.PROVISIONED_CONCURRENCY].usd > 0
        and best_way(both, worths[target]) is Tuner.WARMUPS
    }


def _worth(change: Change, policy: Policy) -> float:
    """Return the worth of a cold start of the function, in proportion to its INIT."""
    worth = change.evidence.get("usd_per_cold_start")
    if isinstance(worth, int | float):
        return float(worth)
    return settings_of_change(policy, change).warmups.usd_per_cold_start


def recheck(
    change: Change, live: object, policy: Policy, now: datetime, tags: Mapping[str, str] | None = None
) -> Refusal | None:
    """Check one change again just before it is applied, on the live state, with freezes and windows.

    tags: those that the function has now, for overrides; None: those that it was planned with. Return None if it may be
    applied."""
    known = change.evidence.get("tags") or {} if tags is None else tags
    return (
        calendar.closed(policy, now, change.tuner)
        or _rules(change, live, _settings(policy, change, tags))
        or over_budget_alone(change, policy, known)
    )


def still_allowed(
    change: Change, live: object, policy: Policy, tags: Mapping[str, str] | None = None
) -> Refusal | None:
    """Check an applied change that keeps acting (a plan of pings, a timetable) against the current policy.

    Freezes and windows do not matter here: they limit when changes start. tags: as of `recheck`. Return None if it may
    go on."""
    policy = _settings(policy, change, tags)
    if policy.mode_of(change.tuner) is Mode.RECOMMEND:
        return Refusal(f"{change.tuner.value}.mode", "The current policy only recommends.")
    return _rules(change, live, policy)


def _settings(policy: Policy, change: Change, tags: Mapping[str, str] | None) -> Policy:
    if tags is None:
        return settings_of_change(policy, change)
    if change.evidence.get("nobody_waits"):
        policy = without_promises(policy)
    return settings_of_function(policy, function_name(change.target), tags)


def _decision(change: Change, policy: Policy) -> Decision:
    """Return the decision by the tuner's mode, or a stricter one: of the action's permission for index changes, of
    `latest_mode` for a memory size of $LATEST, which has no canary, and of `unpriced_mode` for one whose price is not
    known. A template that owns the setting decides by itself,
    so its team only gets the line to change."""
    if _owner(change):
        return Decision.RECOMMENDED
    policy = settings_of_change(policy, change)
    decision = _DECISIONS[policy.mode_of(change.tuner)]
    if change.tuner is Tuner.MEMORY:
        modes = [policy.mode_of(change.tuner)]
        modes += [policy.memory.latest_mode] if change.evidence.get("alias") == "$LATEST" else []
        modes += [policy.memory.unpriced_mode] if change.evidence.get("unpriced") else []
        return _DECISIONS[min(modes, key=list(Mode).index)]
    if change.tuner is not Tuner.INDEXES:
        return decision
    return _STRICTER.get(indexes.permission(change, policy.indexes), {}).get(decision, decision)


def _owner(change: Change) -> str:
    """Return the rule by which a template owns the setting, or an empty string."""
    return str(change.evidence.get("owner") or "") if change.tuner in CONFIGURATION else ""


def _rest(change: Change, account: Account, now: datetime) -> Refusal | None:
    """Return why the resource is not changed for now: an earlier change is under observation, or was lately applied."""
    for tuner in sorted(observed_together(change.tuner)):
        earlier = account.observed.get((change.target, tuner))
        if earlier is not None:
            return Refusal(f"{tuner.value}.observation", under_observation(earlier))
    until = account.cool_downs.get((change.target, change.tuner))
    if until is None or until <= now:
        return None
    rule = f"{change.tuner.value}.cool_down"
    return Refusal(
        rule,
        f"In cool-down after its last change until {until:%Y-%m-%d %H:%M %Z} ({rule}_days). A run after that decides "
        "again.",
    )


def _waits(change: Change, decision: Decision, account: Account) -> Refusal | None:
    """Return what an earlier proposal for the resource waits for: its window, or people who are asked already.

    What is automatic does not wait for people."""
    waiting = account.waiting.get(change.id)
    return waiting or (account.asked.get(change.id) if decision is Decision.ASK else None)


def _later(closed: Refusal) -> Refusal:
    return Refusal(closed.rule, f"{closed.message} A later run decides again.")


def _when_it_opens(decision: Decision, policy: Policy, opens: datetime) -> str:
    """Return what the policy says of a change outside its windows, and when the next one opens."""
    return f"{_MESSAGES[decision].removesuffix('.')}. Its window opens at {calendar.local_time(policy, opens)}."


def _rejected(change: Change, account: Account) -> Refusal | None:
    """Return when people rejected the same proposal; None if they were not asked, or if it has changed much."""
    earlier = account.rejections.get(change.id)
    if earlier is None or not earlier.covers(change):
        return None
    return Refusal(
        "approvals.rejected",
        f"On {earlier.at:%Y-%m-%d}: {earlier.said} People are asked again after {earlier.until:%Y-%m-%d}, or when "
        "other values or a much larger effect are proposed.",
    )


def _one_of_two(changes: Sequence[Change], verdicts: Mapping[str, Verdict], pinged: Set[str]) -> list[Change]:
    """Return the changes with the better one first where a function could get both a memory size and provisioned
    concurrency: only one of the two is made at a time, and what is automatic never waits for people. Its pings come
    last, unless they gain more than provisioned concurrency."""

    def rank(place: int) -> tuple[bool, bool, bool, float]:
        change = changes[place]
        # Pings are planned for what provisioned concurrency leaves.
        pings = change.tuner is Tuner.WARMUPS and change.target not in pinged
        # An alias with provisioned concurrency does not allow the canary that a memory change needs.
        canary = float(change.evidence.get("canary_weight") or 0.0) if change.tuner is Tuner.MEMORY else 0.0
        usd = change.effect.usd_month.estimate if change.effect.usd_month else 0.0
        return pings, verdicts[change.id].verdict is not Decision.AUTOMATIC, canary <= 0, usd

    places: dict[str, list[int]] = {}
    for place, change in enumerate(changes):
        if change.tuner in FUNCTION_TUNERS:
            places.setdefault(change.target, []).append(place)
    ordered = list(changes)
    for held in places.values():
        for place, better in zip(held, sorted(held, key=rank), strict=True):
            ordered[place] = changes[better]
    return ordered


def _after(first: Change) -> Refusal:
    return Refusal(
        "run.one_configuration_change",
        f"One change of a function at a time: its {first.tuner.value.replace('_', ' ')} first; this is decided again "
        "after the observation.",
    )


def _alone(change: Change, policy: Policy, account: Account) -> Refusal | None:
    try:
        if change.tuner in FUNCTION_TUNERS:
            function_name(change.target)
        live = OF_TUNER[change.tuner].planned_on(change, account)
    except (MissingNumber, MalformedChange) as wrong:
        return _unusable(wrong)
    return _rules(change, live, settings_of_change(policy, change))


def _rules(change: Change, live: object, policy: Policy) -> Refusal | None:
    try:
        return _first(_refusals(change, live, policy))
    except (MissingNumber, MalformedChange) as wrong:
        return _unusable(wrong)


def _unusable(wrong: Exception) -> Refusal:
    return Refusal("evidence", f"The proposal cannot be checked: {wrong}.")


def _refusals(change: Change, live: object, policy: Policy) -> Iterable[Refusal | None]:
    of_tuner = OF_TUNER[change.tuner]
    if not isinstance(live, of_tuner.state):
        raise TypeError(f"{type(live).__name__} is not the live state of a change by {change.tuner.value}")
    if not of_tuner.is_needed(change, live):
        return ()
    return (rule(change, live, getattr(policy, change.tuner)) for rule in of_tuner.rules)


def _first(refusals: Iterable[Refusal | None]) -> Refusal | None:
    return next((refusal for refusal in refusals if refusal), None)


def _postponed(change: Change, until: Refusal) -> Verdict:
    return Verdict(change.id, Decision.POSTPONED, until.rule, until.message)


def _verdict(change: Change, decision: Decision, refusal: Refusal | None) -> Verdict:
    if refusal:
        blocked = Decision.RECOMMENDED if refusal.recommends else Decision.REFUSED
        return Verdict(change.id, blocked, refusal.rule, refusal.message)
    if _owner(change):
        return Verdict(change.id, decision, _owner(change), str(change.evidence.get("template_line", "")))
    return Verdict(change.id, decision, "mode", _MESSAGES[decision])
