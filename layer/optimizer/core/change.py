"""The Change: the one record that every tuner proposes and every later step handles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from optimizer.core import canonical_json
from optimizer.core.errors import MalformedChange
from optimizer.core.tuners import Tuner, id_prefix


class Risk(StrEnum):
    """The damage that a wrong decision would do."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Status(StrEnum):
    """The stage of a Change, from its proposal to its end; `FINAL` lists the last stages.

    The values are stored: `watching` is under observation, `reverted` rolled back, `refused` blocked by a rule, `stale`
    outdated."""

    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    APPLYING = "applying"
    WATCHING = "watching"
    REVERTING = "reverting"
    RECOMMENDED = "recommended"
    REFUSED = "refused"
    REJECTED = "rejected"
    STALE = "stale"
    KEPT = "kept"
    REVERTED = "reverted"
    FAILED = "failed"


FINAL = frozenset(
    {Status.RECOMMENDED, Status.REFUSED, Status.REJECTED, Status.STALE, Status.KEPT, Status.REVERTED, Status.FAILED}
)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its range (low <= estimate <= high)."""

    estimate: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.estimate <= self.high:
            raise MalformedChange(f"interval {self.low}..{self.high} does not contain its estimate {self.estimate}")


@dataclass(frozen=True, slots=True)
class Effect:
    """The expected effect of a Change. A negative number is an improvement; None means not known."""

    latency_ms: Interval | None = None
    """Difference in the mean latency of a call, in milliseconds."""
    usd_month: Interval | None = None
    """Difference in the bill of a month, in US dollars."""
    cold_starts_month: Interval | None = None
    """Difference in the number of cold starts a month."""


# Without slots, because cached_property needs a __dict__: one step handles thousands of changes, each id computed once.
@dataclass(frozen=True)
class Change:
    """A proposed modification of one resource, with its reason, its evidence and the way back.

    `before`, `after` and `undo` are JSON objects in the tuner's own form. `reason` is one sentence for people."""

    run_id: str
    tuner: Tuner
    action: str
    target: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reason: str
    undo: Mapping[str, Any]
    risk: Risk
    evidence: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect = field(default_factory=Effect)

    @cached_property
    def id(self) -> str:
        """Return the id: the same whenever a step runs again, and valid as the name of an execution."""
        key = canonical_json.sha256([self.run_id, self.tuner, self.action, self.target])[:16]
        return f"{id_prefix(self.tuner)}{key}"

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of everything that an approver is shown: an approval counts for exactly this content."""
        return canonical_json.sha256(self)

    def to_document(self) -> dict[str, Any]:
        """Return the JSON object that is stored, with `id` and `digest` beside the fields."""
        return {**canonical_json.plain(self), "id": self.id, "digest": self.digest}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Change":
        """Read the result of `to_document` back.

        Raise MalformedChange if a field is missing or wrong, or if the digest differs."""
        if not isinstance(document, Mapping) or not isinstance(document.get("effect"), Mapping):
            raise MalformedChange("a stored change must be an object {...} with an object `effect`")
        try:
            change = cls(
                run_id=_text(document, "run_id"),
                tuner=Tuner(document["tuner"]),
                action=_text(document, "action"),
                target=_text(document, "target"),
                before=dict(document["before"]),
                after=dict(document["after"]),
                reason=_text(document, "reason"),
                undo=dict(document["undo"]),
                risk=Risk(document["risk"]),
                evidence=dict(document["evidence"]),
                effect=Effect(
                    **{name: Interval(**value) for name, value in document["effect"].items() if value is not None}
                ),
            )
            digest = change.digest
        except KeyError as missing:
            raise MalformedChange(f"a stored change has no field {missing}") from missing
        except (TypeError, ValueError) as wrong:
            raise MalformedChange(f"a stored change cannot be read: {wrong}") from wrong
        if document.get("digest", digest) != digest:
            raise MalformedChange(f"change {change.id} was altered after it was proposed: its digest differs")
        return change


@dataclass(frozen=True, slots=True)
class NoChange:
    """A resource that was checked and needs no change, with the reason. "Not known" is a valid reason."""

    run_id: str
    tuner: Tuner
    target: str
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str) or not value:
        raise MalformedChange(f"field {name!r} of a stored change must be a text")
    return value


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A recorded Change with its status.

    `progress` is the record of the acting Lambda. `times`: when each status was first reached, by its value.
    `waits_until`: how long an approved change waits, or waited, for its window or for another one's observation."""

    change: Change
    status: Status
    progress: Mapping[str, Any]
    verdict: str
    rule: str
    message: str
    times: Mapping[str, datetime]
    waits_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A change that people rejected: when, until when that is remembered, and who said what."""

    change: Change
    at: datetime
    until: datetime
    said: str

    def covers(self, change: Change) -> bool:
        """Return True if this is the same proposal again: the same values, and not much more to gain.

        Times of day of pings and timetables differ from day to day, and do not make another proposal."""
        if _values(change) != _values(self.change):
            return False
        before, now = _gain(self.change), _gain(change)
        return now <= 0 or before <= 0 or now <= before * _MUCH_MORE


# A rejected change that would gain so many times as much is another one.
_MUCH_MORE = 1.5


def _values(change: Change) -> object:
    match change.tuner:
        case Tuner.WARMUPS:
            return None
        case Tuner.PROVISIONED_CONCURRENCY:
            return change.after.get("environments"), bool(change.after.get("timetable"))
        case _:
            return canonical_json.plain(change.after)


def _gain(change: Change) -> float:
    """Return the first effect that is known, as a gain."""
    effect = change.effect
    known = (part for part in (effect.usd_month, effect.cold_starts_month, effect.latency_ms) if part is not None)
    return -next((part.estimate for part in known if part.estimate), 0.0)


def under_observation(earlier: StoredChange) -> str:
    """Return the sentence that tells why a resource is not changed while an earlier change of it is observed."""
    change = earlier.change
    since = earlier.times.get(Status.APPLYING.value)
    at = f" since {since:%Y-%m-%d %H:%M %Z}" if since else ""
    what = change.tuner.value.replace("_", " ")
    for key, unit in (("memory_mb", " MB"), ("environments", " environments")):
        if key in change.before and key in change.after:
            what = f"{what} {change.before[key]} to {change.after[key]}{unit}"
    return f"A change is under observation{at}: {what} ({change.id}). This is decided again afterwards."


@dataclass(frozen=True, slots=True)
class Judged:
    """A Change that is about to be recorded with its verdict."""

    change: Change
    status: Status
    verdict: str = ""
    rule: str = ""
    message: str = ""
