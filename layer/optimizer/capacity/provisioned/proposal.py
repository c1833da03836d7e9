"""Parts that every proposal about provisioned concurrency has: its record, and what the function holds now. Pure."""

from collections.abc import Mapping
from typing import Any

from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.provisioned.amount import Amount
from optimizer.capacity.provisioned.load import provisioned_usd_month
from optimizer.core import Change, Effect, Interval, NoChange, Risk, Tuner
from optimizer.prices import Rates


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
            "prices": facts.known_rates.document(),
        },
        effect=Effect(usd_month=usd_month, cold_starts_month=cold_starts_month),
    )


def leave(facts: FunctionFacts, reason: str) -> NoChange:
    """Return the proposal to change nothing, with what the function holds: the totals of a run need it."""
    return NoChange(facts.run_id, Tuner.PROVISIONED_CONCURRENCY, facts.target, reason, held_facts(facts))


def held_facts(facts: FunctionFacts) -> dict[str, Any]:
    """Return what the function holds now and what that costs; of a scaling target, at its largest size."""
    now, rates, memory_mb = facts.amount, facts.rates, facts.live.version.memory_mb
    shape = {"timetable": now.timetable.document()} if now.timetable else {}
    if rates is None or not rates.has_provisioned:
        # Nothing held costs nothing anywhere; what something costs is not known.
        return {"environments": now.environments, "usd_month": None if now.environments else 0.0, **shape}
    if now.timetable is None:
        usd, usd_day = provisioned_usd_month(rates, memory_mb, now.environments), {}
    else:
        usd = now.timetable.usd_month(rates, memory_mb)
        usd_day = {"usd_dearest_day": round(now.timetable.usd_dearest_day(rates, memory_mb), 4)}
    return {
        "environments": now.environments,
        "usd_month": round(usd, 4),
        **usd_day,
        **shape,
        "prices": rates.document(),
    }


def usd_month_of(amount: Amount, rates: Rates, memory_mb: int) -> float:
    """Return the USD a month that holding an amount costs before any call; of a scaling target, at its least size."""
    if amount.timetable is not None:
        return amount.timetable.usd_month(rates, memory_mb)
    return provisioned_usd_month(rates, memory_mb, amount.always)
