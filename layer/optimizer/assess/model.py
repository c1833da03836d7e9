"""The result of an assessment: functions, databases, caches, and all that was left out, with the reasons. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from optimizer.assess.reads import MissingRight
from optimizer.core import Interval


@dataclass(frozen=True, slots=True)
class Finding:
    """A change that would pay. what: the change in one phrase. usd_month: difference of the bill, negative if it falls.
    latency_ms: difference of the mean latency of a call. cold_starts_month: difference of their number."""

    tuner: str
    what: str
    reason: str
    usd_month: Interval | None = None
    latency_ms: Interval | None = None
    cold_starts_month: Interval | None = None
    # True if the change is made for safety and may cost something.
    safety: bool = False

    @property
    def saved_usd_month(self) -> Interval:
        """The savings; zero where the finding saves nothing or they are not known."""
        if self.usd_month is None or self.safety or self.usd_month.estimate > 0:
            return Interval(0.0, 0.0, 0.0)
        return Interval(-self.usd_month.estimate, -self.usd_month.high, -self.usd_month.low)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Finding":
        """Read the stored form."""
        intervals = {
            name: Interval(**document[name]) if document[name] else None
            for name in ("usd_month", "latency_ms", "cold_starts_month")
        }
        return cls(**{**document, **intervals})


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Something that stops the optimizer from applying a change, or the assessment from finding one. rule: groups equal
    ones; message: one sentence."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """One function. calls_day and bill_usd_month: over the last days, at list prices; None where not known. notes: by
    tuner, why nothing was found."""

    name: str
    arn: str
    memory_mb: int
    architecture: str
    runtime: str
    calls_day: float | None
    mean_ms: float | None
    bill_usd_month: float | None
    alias: str = ""
    owner: str = ""
    opted_in: bool = False
    # False until it was looked at in detail.
    is_assessed: bool = False
    findings: tuple[Finding, ...] = ()
    hindrances: tuple[Hindrance, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    # A subject and the words on it each.
    advice: tuple[tuple[str, str], ...] = ()

    @property
    def is_idle(self) -> bool:
        """True if the function was not called."""
        return self.calls_day == 0

    @property
    def saved_usd_month(self) -> Interval:
        """The savings of all findings; at most one of them saves money."""
        saved = [finding.saved_usd_month for finding in self.findings]
        return Interval(*(sum(getattr(one, part) for one in saved) for part in ("estimate", "low", "high")))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "FunctionRow":
        """Read the stored form."""
        return cls(
            **{
                **document,
                "findings": tuple(Finding.from_document(one) for one in document["findings"]),
                "hindrances": tuple(Hindrance(**one) for one in document["hindrances"]),
                "advice": tuple((subject, words) for subject, words in document.get("advice", ())),
            }
        )


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A database or a cache. can: what the optimizer could do for it. needs: what it would need for that. advice: from
    its metrics alone."""

    kind: str
    name: str
    engine: str
    size: str
    owner: str = ""
    is_supported: bool = True
    can: str = ""
    needs: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ServerRow":
        """Read the stored form."""
        return cls(**{**document, "needs": tuple(document["needs"]), "advice": tuple(document["advice"])})


@dataclass(frozen=True, slots=True)
class Spent:
    """The calls of the assessment itself. refused: calls that AWS throttled."""

    calls: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    metrics: int = 0
    log_bytes: float = 0.0
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that was found. is_complete: False while functions remain to be looked at in detail."""

    account: str
    region: str
    started_at: datetime
    ended_at: datetime
    functions: tuple[FunctionRow, ...]
    servers: tuple[ServerRow, ...]
    missing_rights: tuple[MissingRight, ...]
    spent: Spent
    days: float
    is_complete: bool = True
    left_out: Mapping[str, int] = field(default_factory=dict)
    # Region, date and source of the prices, each once.
    prices: tuple[str, ...] = ()
