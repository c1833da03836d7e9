"""All guardrails in their order: those of each change, then those of the run."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from optimizer.core import FUNCTION_TUNERS, Change, MalformedChange, Tuner, function_name
from optimizer.guardrails import calendar, indexes
from optimizer.guardrails.registry import OF_TUNER
from optimizer.guardrails.run import Account, Budget, best_first
from optimizer.guardrails.verdict import PASSES, Decision, MissingNumber, Refusal, Verdict
from optimizer.policy import Mode, Permission, Policy

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


def check(proposals: Sequence[Change], policy: Policy, account: Account, now: datetime) -> list[Verdict]:
    """Return a verdict for every proposal, in the order of the proposals, which has no influence on the verdicts.

    docs/architecture.md gives the order in which the rules apply."""
    verdicts: dict[str, Verdict] = {}
    acting: list[Change] = []
    for change in proposals:
        refusal = _alone(change, policy, account, now)
        decision = _decision(change, policy) if refusal is None else Decision.REFUSED
        if refusal is None and decision in (Decision.AUTOMATIC, Decision.ASK):
            acting.append(change)
        verdicts[change.id] = _verdict(change, decision, refusal)
    budget = Budget(policy, account, proposals)
    for change in best_first({change.id: change for change in acting}.values()):
        refusal = calendar.closed(policy, now, change.tuner) or budget.admit(change)
        if refusal:
            verdicts[change.id] = _verdict(change, Decision.REFUSED, refusal)
    return [verdicts[change.id] for change in proposals]


def recheck(change: Change, live: object, policy: Policy, now: datetime) -> Refusal | None:
    """Check one change again just before it is applied, on the live state, with freezes and windows.

    Return None if it may be applied."""
    return calendar.closed(policy, now, change.tuner) or _rules(change, live, policy)


def still_allowed(change: Change, live: object, policy: Policy) -> Refusal | None:
    """Check an applied change that keeps acting (a plan of pings, a timetable) against the current policy.

    Freezes and windows do not matter here: they limit when changes start. Return None if it may go on."""
    if policy.mode_of(change.tuner) is Mode.RECOMMEND:
        return Refusal(f"{change.tuner.value}.mode", "The current policy only recommends.")
    return _rules(change, live, policy)


def _decision(change: Change, policy: Policy) -> Decision:
    """Return the decision by the tuner's mode, or a stricter one: of the action's permission for index changes, of
    `latest_mode` for a memory size of $LATEST, which has no canary."""
    decision = _DECISIONS[policy.mode_of(change.tuner)]
    if change.tuner is Tuner.MEMORY and change.evidence.get("alias") == "$LATEST":
        careful = min(policy.mode_of(change.tuner), policy.memory.latest_mode, key=list(Mode).index)
        return _DECISIONS[careful]
    if change.tuner is not Tuner.INDEXES:
        return decision
    return _STRICTER.get(indexes.permission(change, policy.indexes), {}).get(decision, decision)


def _alone(change: Change, policy: Policy, account: Account, now: datetime) -> Refusal | None:
    until = account.cool_downs.get((change.target, change.tuner))
    if until is not None and now < until:
        return Refusal(
            f"{change.tuner.value}.cool_down", f"In cool-down after its last change until {until:%Y-%m-%d %H:%M %Z}."
        )
    try:
        if change.tuner in FUNCTION_TUNERS:
            function_name(change.target)
        live = OF_TUNER[change.tuner].planned_on(change, account)
    except (MissingNumber, MalformedChange) as wrong:
        return _unusable(wrong)
    return _rules(change, live, policy)


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


def _verdict(change: Change, decision: Decision, refusal: Refusal | None) -> Verdict:
    if refusal:
        return Verdict(change.id, Decision.REFUSED, refusal.rule, refusal.message)
    return Verdict(change.id, decision, "mode", _MESSAGES[decision])
