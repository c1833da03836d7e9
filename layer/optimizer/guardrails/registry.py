"""Registers the guardrails of each tuner."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.core import Change, Tuner
from optimizer.guardrails import cache_ttls, indexes, memory, provisioned_concurrency as pc, warmups
from optimizer.guardrails.run import Account
from optimizer.guardrails.verdict import Refusal, number


@dataclass(frozen=True, slots=True)
class TunerGuardrails[S]:
    """The guardrails of one tuner's changes; their limits are the tuner's part of the policy.

    state: the type of the live state that the rules read.
    planned_on: returns the state that the change was planned on. Raises MissingNumber or MalformedChange.
    rules: the rules in their order; the first one that blocks the change is reported.
    is_needed: returns False for a change that no rule concerns, because it only gives something back.
    """

    state: type[S]
    planned_on: Callable[[Change, Account], S]
    rules: Sequence[Callable[[Change, S, Any], Refusal | None]]
    is_needed: Callable[[Change, S], bool] = lambda _change, _live: True


def _provisioned(change: Change, account: Account) -> pc.ProvisionedState:
    reserved = change.evidence.get("reserved_concurrency")
    return pc.ProvisionedState(
        environments=pc.environments_of(change.before),
        account_unreserved=account.unreserved_concurrency or 0,
        reserved_concurrency=None if reserved is None else int(number(change.evidence, "reserved_concurrency")),
    )


OF_TUNER: Mapping[Tuner, TunerGuardrails[Any]] = {
    Tuner.MEMORY: TunerGuardrails(
        memory.MemoryState,
        lambda change, _account: memory.MemoryState(int(number(change.before, "memory_mb"))),
        memory.RULES,
    ),
    Tuner.PROVISIONED_CONCURRENCY: TunerGuardrails(pc.ProvisionedState, _provisioned, pc.RULES, pc.grows),
    Tuner.WARMUPS: TunerGuardrails(
        warmups.WarmupState,
        lambda change, _account: warmups.WarmupState(int(number(change.before, "schedules"))),
        warmups.RULES,
        lambda change, _live: not warmups.removes_pings(change),
    ),
    Tuner.INDEXES: TunerGuardrails(
        indexes.IndexState,
        lambda change, _account: indexes.IndexState(
            number(change.before, "size_bytes"), str(change.before.get("protected") or "")
        ),
        indexes.RULES,
    ),
    Tuner.CACHE_TTLS: TunerGuardrails(
        cache_ttls.CacheTtlState, lambda change, _account: cache_ttls.live_before(change), cache_ttls.RULES
    ),
}
