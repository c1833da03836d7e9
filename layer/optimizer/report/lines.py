"""One change as messages and pages show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.core import Interval, StoredChange, harmless
from optimizer.prices import prices_used
from optimizer.report.describe import change_phrase


@dataclass(frozen=True, slots=True)
class Line:
    """One change as it is shown; names that others chose make neither lines nor links. `target` is the last part of the
    ARN, `what` the change in one phrase, `rule` the guardrail that blocked it, if one did."""

    change_id: str
    tuner: str
    target: str
    what: str
    reason: str
    status: str
    rule: str
    message: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    risk: str
    usd_month: Interval | None
    cold_starts_month: Interval | None
    latency_ms: Interval | None
    # Region, date and source of the prices behind `usd_month`; empty where evidence names none.
    prices: str = ""


def line(stored: StoredChange) -> Line:
    """Return a change as it is shown."""
    change = stored.change
    return Line(
        change_id=change.id,
        tuner=change.tuner.value,
        target=harmless(change.target.rsplit(":function:", 1)[-1]),
        what=harmless(change_phrase(change)),
        reason=harmless(change.reason),
        status=stored.status.value,
        rule=stored.rule,
        message=harmless(stored.message),
        before=change.before,
        after=change.after,
        risk=change.risk.value,
        usd_month=change.effect.usd_month,
        cold_starts_month=change.effect.cold_starts_month,
        latency_ms=change.effect.latency_ms,
        prices="; ".join(prices_used([change.evidence])),
    )
