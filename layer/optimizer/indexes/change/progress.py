"""The stored record of a change of indexes, and of each of its jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from optimizer.core import canonical_json
from optimizer.indexes.change.server import Job, State, StatementTimes
from optimizer.lifecycle import ChangeProgress, document_of


class JobPhase(StrEnum):
    """How far a job has come."""

    WAITING = "waiting"
    WORKING = "working"
    CLEANING = "cleaning"


class JobSlot(StrEnum):
    """The place of a job's record in the record of its change."""

    JOB = "job"
    DROP = "drop"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One job of a change, so that the next call can ask the server what became of it."""

    job: Job
    phase: JobPhase
    attempt: int
    since: datetime
    problem: str | None = None
    """Why the last attempt did not succeed."""
    session: Mapping[str, Any] | None = None
    """The identity of the session on its server, in the terms of the engine."""
    began_at: datetime | None = None
    target: State | None = None
    """The index or table when the statement was sent."""
    known: tuple[int | None, ...] | None = None
    """The invalid indexes that were there before the statement."""
    sent: bool | None = None
    """True if the statement ended without an error."""
    fatal: bool | None = None
    """True if another attempt would not help."""
    cleaned: int | None = None
    stopped: bool | None = None
    not_before: datetime | None = None
    """When the next attempt may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProgress(ChangeProgress):
    """The state before a change of indexes, and the progress of its jobs."""

    found: State | None = None
    """The index before the change; None if there was none."""
    definition: str | None = None
    """The statement that creates the index again; None before the change was prepared."""
    times: Mapping[str, StatementTimes] | None = None
    """The statements of the table before the change; None where the server does not count them."""
    job: JobRecord | None = None
    drop: JobRecord | None = None
    undo: JobRecord | None = None
    stopped: bool | None = None
    """True if every job was stopped to roll the change back."""
    sizes_bytes: tuple[float | None, float | None] | None = None
    """The size before and after the change."""
    seen: str | None = None
    """The result of the observation."""
    dropped_at: datetime | None = None
    checked: int | None = None
    """How often the statements were compared since the index was dropped."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored document."""
        progress = super(IndexProgress, cls).from_document({**document, "times": None})
        return replace(progress, times=_read_times(document.get("times")))

    def to_document(self) -> dict[str, Any]:
        """Return the JSON object that is stored. The texts of statements are left out: they may contain anything."""
        jobs = {slot.value: document_of(record) for slot in JobSlot if (record := self.job_in(slot)) is not None}
        prepared: dict[str, Any] = {}
        if self.definition is not None:
            found = None if self.found is None else canonical_json.plain(self.found)
            prepared = {"found": found, "times": _times_document(self.times)}
        return document_of(self) | prepared | jobs

    def job_in(self, slot: JobSlot) -> JobRecord | None:
        """Return the record of a job, or None if it has not begun."""
        return {JobSlot.JOB: self.job, JobSlot.DROP: self.drop, JobSlot.UNDO: self.undo}[slot]

    def with_job(self, slot: JobSlot, record: JobRecord) -> "IndexProgress":
        """Return the same with the record of a job."""
        changed: dict[str, Any] = {slot: record}
        return replace(self, **changed)


def _times_document(times: Mapping[str, StatementTimes] | None) -> dict[str, Any] | None:
    if times is None:
        return None
    return {key: [one.calls, one.total_ms, one.squares_ms2] for key, one in times.items()}


def _read_times(document: Mapping[str, Any] | None) -> dict[str, StatementTimes] | None:
    if document is None:
        return None
    return {key: StatementTimes(int(one[0]), float(one[1]), one[2]) for key, one in document.items()}
