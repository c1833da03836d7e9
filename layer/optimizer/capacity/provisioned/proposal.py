"""Parts that every proposal about provisioned concurrency has: its record, and what the function holds now. Pure."""

from collections.abc import Mapping
from typing import Any

from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.provisioned.amount import Amount
from optimizer.capacity.provisioned.load import provisioned_usd_month
from optimizer.core import Change, Effect, Interval, NoChange, Risk, Tuner


def propose(
    facts: FunctionFacts,
    action: str,
    after: Mapping[str, Any],
    reason: str,
    risk: Risk,
    evidence: Mapping[str, Any],
    usd_month: Interval | None,
    cold_starts_month: Interval | None = None,
) -> Change:
    """Return the change from the amount held now to `after`.

    usd_month, cold_starts_month: change of the bill and of the cold starts, None where not known."""
    live, before = facts.live, facts.amount.document()
    return Change(
        run_id=facts.run_id,
        tuner=Tuner.PROVISIONED_CONCURRENCY,
        action=action,
        target=facts.target,
        before=before,
        after=after,
        reason=reason,
        undo=before,
        risk=risk,
        evidence={
            "alias": live.alias,
            "version": live.alias_version,
            "memory_mb": live.version.memory_mb,
            "reserved_concurrency": live.reserved,
            **evidence,
        },
        effect=Effect(usd_month=usd_month, cold_starts_month=cold_starts_month),
    )


def leave(facts: FunctionFacts, reason: str) -> NoChange:
    """Return the proposal to change nothing, with what the function holds: the totals of a run need it."""
    return NoChange(facts.run_id, Tuner.PROVISIONED_CONCURRENCY, facts.target, reason, held_facts(facts))


def held_facts(facts: FunctionFacts) -> dict[str, Any]:
    """Return what the function holds now and what that costs; of a scaling target, at its largest size."""
    now, version = facts.amount, facts.live.version
    if now.timetable is None:
        usd = provisioned_usd_month(version.architecture, version.memory_mb, now.environments)
        return {"environments": now.environments, "usd_month": round(usd, 4)}
    usd_day = now.timetable.usd_dearest_day(version.architecture, version.memory_mb)
    return {
        "environments": now.environments,
        "usd_month": round(now.timetable.usd_month(version.architecture, version.memory_mb), 4),
        "usd_dearest_day": round(usd_day, 4),
        "timetable": now.timetable.document(),
    }


def usd_month_of(amount: Amount, architecture: str, memory_mb: int) -> float:
    """Return the USD a month that holding an amount costs before any call; of a scaling target, at its least size."""
    if amount.timetable is not None:
        return amount.timetable.usd_month(architecture, memory_mb)
    return provisioned_usd_month(architecture, memory_mb, amount.always)
