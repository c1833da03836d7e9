"""Estimated and verified savings of earlier changes, never added up with each other. Pure.

The fields keep the spelling of report.json: `claimed_usd_month` is the estimate and `measured_usd_month` the verified
change of the bill, each negative if the bill falls.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from optimizer.core import Change, Status, StoredChange, Tuner, figure
from optimizer.prices import aws_lambda, prices_used
from optimizer.report.evidence_rates import evidence_rates

_DAYS = 35
_DAYS_A_MONTH = 365 / 12
# The mean of fewer calls with the new size is too uncertain.
_LEAST_CALLS = 100
_ENDED = (Status.KEPT, Status.REVERTED)


@dataclass(frozen=True, slots=True)
class VerifiedOutcome:
    """A change whose observation is over. None is not known; `how` says why."""

    change_id: str
    tuner: str
    target: str
    status: str
    claimed_usd_month: float | None
    measured_usd_month: float | None
    how: str


@dataclass(frozen=True, slots=True)
class VerifiedSavings:
    """The changes of the last `days` days whose observation is over. The sums are over the `measured` ones alone."""

    changes: tuple[VerifiedOutcome, ...] = field(default_factory=tuple)
    measured: int = 0
    claimed_usd_month: float = 0.0
    measured_usd_month: float = 0.0
    days: int = _DAYS


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about a resource from a run: its calls a day, and the evidence of its proposals by tuner."""

    invocations_day: float | None = None
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def verify_savings(
    changes: Iterable[StoredChange], facts: Mapping[str, Facts], now: datetime, days: int = _DAYS
) -> VerifiedSavings:
    """Return the outcomes of changes that ended in the last `days` days. `facts` are keyed by target."""
    outcomes = tuple(
        _outcome(stored, facts.get(stored.change.target, Facts()))
        for stored in changes
        if stored.status in _ENDED and now - stored.times[stored.status.value] <= timedelta(days=days)
    )
    # Without an estimate there is nothing to compare a verified amount with.
    both = [o for o in outcomes if o.measured_usd_month is not None and o.claimed_usd_month is not None]
    return VerifiedSavings(
        changes=outcomes,
        days=days,
        measured=len(both),
        claimed_usd_month=round(sum(o.claimed_usd_month or 0.0 for o in both), 4),
        measured_usd_month=round(sum(o.measured_usd_month or 0.0 for o in both), 4),
    )


def _outcome(stored: StoredChange, facts: Facts) -> VerifiedOutcome:
    change = stored.change
    claimed = change.effect.usd_month
    measured, how = (
        (0.0, "rolled back, so nothing changed") if stored.status is Status.REVERTED else _measured(change, facts)
    )
    return VerifiedOutcome(
        change_id=change.id,
        tuner=change.tuner.value,
        target=change.target.rsplit(":function:", 1)[-1],
        status=stored.status.value,
        claimed_usd_month=claimed.estimate if claimed else None,
        measured_usd_month=None if measured is None else round(measured, 4),
        how=how,
    )


def _measured(change: Change, facts: Facts) -> tuple[float | None, str]:
    match change.tuner:
        case Tuner.MEMORY:
            return _memory(change, facts)
        case Tuner.PROVISIONED_CONCURRENCY:
            return _provisioned(change, facts)
        case _:
            return None, "the bill does not show this kind of change"


def _memory(change: Change, facts: Facts) -> tuple[float | None, str]:
    """Return calls a month at the mean billed duration of the REPORT lines, with each of the two sizes."""
    evidence = facts.evidence.get(Tuner.MEMORY, {})
    sizes, calls_day = evidence.get("sizes") or {}, facts.invocations_day
    before, after = (sizes.get(str(side["memory_mb"])) for side in (change.before, change.after))
    if not before or not after or calls_day is None or after["calls"] < _LEAST_CALLS:
        return None, f"fewer than {_LEAST_CALLS} calls with the new size were seen"
    rates = evidence_rates(evidence, change.target)
    if rates is None:
        return None, "the price is not known"
    rate = rates.gb_second_usd
    usd = [
        aws_lambda.gb_seconds(side["memory_mb"], Decimal(str(size["mean_ms"]))) * rate
        for side, size in ((change.before, before), (change.after, after))
    ]
    saved = float(usd[1] - usd[0]) * calls_day * _DAYS_A_MONTH
    calls = f"{after['calls']} calls at {figure(after['mean_ms'])} ms, {figure(before['mean_ms'])} ms before"
    return saved, f"{calls}{_prices(evidence)}"


def _provisioned(change: Change, facts: Facts) -> tuple[float | None, str]:
    """Return the difference between the price of environments now and before."""
    found = facts.evidence.get(Tuner.PROVISIONED_CONCURRENCY, {})
    paid = found.get("usd_month_before", found.get("usd_month"))
    before = change.evidence.get("usd_month_before")
    if paid is None or before is None:
        return None, "the provisioned environments could not be read"
    return paid - before, f"environments cost ${paid:.2f} a month, ${before:.2f} before{_prices(found)}"


def _prices(evidence: Mapping[str, Any]) -> str:
    """Return where the prices are from, as the end of a sentence."""
    used = prices_used([evidence])
    return f"; prices: {used[0]}" if used else ""
