"""All guardrails in order: those of each change, then those of the run."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from optimizer.core import Change, MalformedChange, Tuner, function_name
from optimizer.guardrails import cache_ttls, calendar, indexes, memory, provisioned_concurrency as pc, warmups
from optimizer.guardrails.run import OF_FUNCTIONS, Account, Budget, best_first
from optimizer.guardrails.verdict import Decision, MissingNumber, Refusal, Verdict, number
from optimizer.policy import Mode, Permission, Policy

Live = memory.MemoryState | pc.ProvisionedState | warmups.WarmupState | indexes.IndexState | cache_ttls.CacheTtlState

_DECISIONS = {Mode.AUTO: Decision.AUTOMATIC, Mode.APPROVE: Decision.ASK, Mode.RECOMMEND: Decision.RECOMMENDED}
_STRICTER = {
    Permission.ASK: {Decision.AUTOMATIC: Decision.ASK},
    Permission.RECOMMEND: {Decision.AUTOMATIC: Decision.RECOMMENDED, Decision.ASK: Decision.RECOMMENDED},
}
_MESSAGES = {
    Decision.AUTOMATIC: "Within every guardrail; the policy lets it happen by itself.",
    Decision.ASK: "Within every guardrail; the policy asks a person.",
    Decision.RECOMMENDED: "Within every guardrail; the policy only recommends.",
}


def check(proposals: Sequence[Change], policy: Policy, account: Account, now: datetime) -> list[Verdict]:
    """A verdict for every proposal, in the order of the proposals; their order does not decide. docs/architecture.md
    says in which order the rules apply."""
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


def recheck(change: Change, live: Live, policy: Policy, now: datetime) -> Refusal | None:
    """The rules of one change again, on what the acting Lambda just read; also freezes and windows. None: go on."""
    return calendar.closed(policy, now, change.tuner) or _rules(change, live, policy)


def still_allowed(change: Change, live: Live, policy: Policy) -> Refusal | None:
    """Whether what a change put in place may go on acting under today's policy. Freezes and windows are about making
    changes, and not asked."""
    if policy.mode_of(change.tuner) is Mode.RECOMMEND:
        return Refusal(f"{change.tuner.value}.mode", "Today's policy only recommends.")
    return _rules(change, live, policy)


def _decision(change: Change, policy: Policy) -> Decision:
    """By the tuner's mode; what is done to indexes also by its kind, a memory size without a canary also by the mode
    for that, and the stricter of the two holds."""
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
            f"{change.tuner.value}.cool_down", f"Its last change is still settling, until {until:%Y-%m-%d %H:%M %Z}."
        )
    try:
        if change.tuner in OF_FUNCTIONS:
            function_name(change.target)
        live = _live_before(change, account)
    except (MissingNumber, MalformedChange) as wrong:
        return Refusal("evidence", f"{wrong}.")
    return _rules(change, live, policy)


def _live_before(change: Change, account: Account) -> Live:
    if change.tuner is Tuner.MEMORY:
        return memory.MemoryState(int(number(change.before, "memory_mb")))
    if change.tuner is Tuner.WARMUPS:
        return warmups.WarmupState(int(number(change.before, "schedules")))
    if change.tuner is Tuner.PROVISIONED_CONCURRENCY:
        reserved = change.evidence.get("reserved_concurrency")
        return pc.ProvisionedState(
            environments=pc.environments_of(change.before),
            account_unreserved=account.unreserved_concurrency or 0,
            reserved_concurrency=None if reserved is None else int(number(change.evidence, "reserved_concurrency")),
        )
    if change.tuner is Tuner.INDEXES:
        return indexes.IndexState(number(change.before, "size_bytes"), str(change.before.get("protected") or ""))
    return cache_ttls.live_before(change)


def _rules(change: Change, live: Live, policy: Policy) -> Refusal | None:
    try:
        return _first(_refusals(change, live, policy))
    except (MissingNumber, MalformedChange) as missing:
        return Refusal("evidence", f"{missing}.")


def _refusals(change: Change, live: Live, policy: Policy) -> Iterable[Refusal | None]:
    given: Any = (change.tuner, live)
    match given:
        case (Tuner.MEMORY, memory.MemoryState()):
            return (rule(change, given[1], policy.memory) for rule in memory.RULES)
        case (Tuner.PROVISIONED_CONCURRENCY, pc.ProvisionedState()):
            if not pc.grows(change, given[1]):
                return ()
            return (rule(change, given[1], policy.provisioned_concurrency) for rule in pc.RULES)
        case (Tuner.WARMUPS, warmups.WarmupState()):
            if warmups.takes_away(change):
                return ()
            return (rule(change, given[1], policy.warmups) for rule in warmups.RULES)
        case (Tuner.INDEXES, indexes.IndexState()):
            return (rule(change, given[1], policy.indexes) for rule in indexes.RULES)
        case (Tuner.CACHE_TTLS, cache_ttls.CacheTtlState()):
            return (rule(change, given[1], policy.cache_ttls) for rule in cache_ttls.RULES)
        case _:
            raise TypeError(f"{type(live).__name__} is not the live state of a change by {change.tuner.value}")


def _first(refusals: Iterable[Refusal | None]) -> Refusal | None:
    return next((refusal for refusal in refusals if refusal), None)


def _verdict(change: Change, decision: Decision, refusal: Refusal | None) -> Verdict:
    if refusal:
        return Verdict(change.id, Decision.REFUSED, refusal.rule, refusal.message)
    return Verdict(change.id, decision, "mode", _MESSAGES[decision])
