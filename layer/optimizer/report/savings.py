"""What earlier changes brought: what was claimed beside what was measured, never added up with each other. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from optimizer.core import Change, Status, StoredChange, Tuner, figure
from optimizer.prices import aws_lambda

_DAYS = 35
_DAYS_A_MONTH = 365 / 12
# Fewer calls with the new size say too little of its mean.
_LEAST_CALLS = 100
_ENDED = (Status.KEPT, Status.REVERTED)


@dataclass(frozen=True, slots=True)
class VerifiedOutcome:
    """A change whose watch is over. None: not known, and `how` says why."""

    change_id: str
    tuner: str
    target: str
    status: str
    claimed_usd_month: float | None
    measured_usd_month: float | None
    how: str


@dataclass(frozen=True, slots=True)
class Proved:
    """The changes of the last `days` days whose watch is over; the sums are over the `measured` ones alone."""

    changes: tuple[VerifiedOutcome, ...] = field(default_factory=tuple)
    measured: int = 0
    claimed_usd_month: float = 0.0
    measured_usd_month: float = 0.0
    days: int = _DAYS


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run found of a function: its calls a day, and the evidence of its decisions by tuner."""

    invocations_day: float | None = None
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def prove(changes: Iterable[StoredChange], facts: Mapping[str, Facts], now: datetime, days: int = _DAYS) -> Proved:
    """`facts` by the target of the changes."""
    outcomes = tuple(
        _outcome(stored, facts.get(stored.change.target, Facts()))
        for stored in changes
        if stored.status in _ENDED and now - stored.times[stored.status.value] <= timedelta(days=days)
    )
    # What was claimed without a number cannot be held against what was measured.
    both = [o for o in outcomes if o.measured_usd_month is not None and o.claimed_usd_month is not None]
    return Proved(
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
        (0.0, "taken back, so nothing changed") if stored.status is Status.REVERTED else _measured(change, facts)
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
            return None, "nothing of it is on a bill that could be read"


def _memory(change: Change, facts: Facts) -> tuple[float | None, str]:
    """Calls a month at the mean billed duration with each of the two sizes, as REPORT lines told."""
    evidence = facts.evidence.get(Tuner.MEMORY, {})
    sizes, calls_day = evidence.get("sizes") or {}, facts.invocations_day
    before, after = (sizes.get(str(side["memory_mb"])) for side in (change.before, change.after))
    if not before or not after or calls_day is None or after["calls"] < _LEAST_CALLS:
        return None, f"fewer than {_LEAST_CALLS} calls were seen with the new size"
    rate = aws_lambda.rates(evidence["architecture"]).tiers[0].gb_second_usd
    usd = [
        aws_lambda.gb_seconds(side["memory_mb"], Decimal(str(size["mean_ms"]))) * rate
        for side, size in ((change.before, before), (change.after, after))
    ]
    saved = float(usd[1] - usd[0]) * calls_day * _DAYS_A_MONTH
    return saved, f"{after['calls']} calls at {figure(after['mean_ms'])} ms, {figure(before['mean_ms'])} ms before"


def _provisioned(change: Change, facts: Facts) -> tuple[float | None, str]:
    """What is paid for environments now beside what was paid before."""
    found = facts.evidence.get(Tuner.PROVISIONED_CONCURRENCY, {})
    paid = found.get("usd_month_before", found.get("usd_month"))
    before = change.evidence.get("usd_month_before")
    if paid is None or before is None:
        return None, "what is provisioned now could not be read"
    return paid - before, f"{paid:.2f} USD a month is paid for environments, {before:.2f} before"
