"""The jobs of a change of indexes taken further, call by call, with their record under a name in its progress."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from optimizer.core import Change
from optimizer.guardrails import Refusal
from optimizer.indexes.change import observe, steps
from optimizer.indexes.change.job import JobOutcome, JobResult, Jobs
from optimizer.indexes.change.preflight import at_any_load
from optimizer.indexes.change.server import DatabaseServer, Job, Machine, State
from optimizer.indexes.connect.drivers import DatabaseUnreachable
from optimizer.indexes.connect.slots import TooManyConnections
from optimizer.policy import Database, Indexes
from optimizer.store import ActingRecords, RunStore

TRY_AGAIN_S = 30


@dataclass(frozen=True, slots=True)
class Working:
    """`progress` is that of the change, and is saved before anything happens. may_start: freezes and windows.
    machine: what CloudWatch knows of the server's. remaining_ms: of this call."""

    store: RunStore
    records: ActingRecords
    server: DatabaseServer
    database: Database
    limits: Indexes
    may_start: Callable[[datetime], Refusal | None]
    machine: Callable[[datetime], Machine]
    remaining_ms: Callable[[], float]

    def go_on(self, name: str, job: Job, change: Change, progress: dict[str, Any], now: datetime) -> JobOutcome:
        """Take the job whose record is `progress[name]` further; Unreachable and the like mean to ask again later."""
        record = dict(progress.get(name) or {})
        try:
            made = self._jobs(name, change, progress, now).go_on(job, change, record, now)
        except (DatabaseUnreachable, TooManyConnections) as busy:
            made = JobOutcome(JobResult.PENDING, str(busy), TRY_AGAIN_S)
        progress[name] = record
        return made

    def undo(self, change: Change, progress: dict[str, Any], now: datetime) -> JobOutcome:
        """End what runs, and do what undoes the change."""
        for name in ("job", "drop"):
            record = dict(progress.get(name) or {})
            if record and not progress.get("stopped"):
                stopped = self._jobs(name, change, progress, now).stop(change, record, now)
                if stopped.result is JobResult.PENDING:
                    return stopped
        if not progress.get("stopped"):
            progress["stopped"] = True
            self.store.save_progress(change.id, progress)
        begun = progress.get("undo")
        job = (
            Job(begun["job"])
            if begun
            else steps.undo_job(change, progress, observe.look(self.server, change, Job.ANALYZE))
        )
        if job is None:
            return JobOutcome(JobResult.DONE, steps.nothing_to_undo(change))
        return self.go_on("undo", job, change, progress, now)

    def _jobs(self, name: str, change: Change, progress: dict[str, Any], now: datetime) -> Jobs:
        def save(record: Mapping[str, Any]) -> None:
            progress[name] = dict(record)
            self.store.save_progress(change.id, progress)

        def begin_build(state: State) -> None:
            shape = state.shape or str(change.after.get("definition") or "")
            self.records.record_build(self.database.name, shape, state.table_oid or 0, change.id, now)

        def may_start() -> str:
            # What is taken back does not wait for a window.
            refusal = None if name == "undo" else self.may_start(now)
            return refusal.message if refusal else ""

        # It had its place before, and may be what the load comes from that it is gone.
        undoes = name == "undo"
        cluster = self.database.cluster or self.database.host
        return Jobs(
            server=self.server,
            limits=at_any_load(self.limits) if undoes else self.limits,
            save=save,
            take_turn=partial(self.records.take_turn, cluster, change.id, now),
            end_turn=partial(self.records.end_turn, cluster, change.id, now),
            begin_build=begin_build,
            may_start=may_start,
            machine=Machine if undoes else partial(self.machine, now),
            remaining_ms=self.remaining_ms,
        )
