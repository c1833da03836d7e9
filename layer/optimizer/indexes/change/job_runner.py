"""Advances the jobs of a change of indexes, call by call, with their records in the record of the change."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from optimizer.guardrails import Refusal
from optimizer.indexes.change import observe, steps
from optimizer.indexes.change.job import JobRun, Unfinished
from optimizer.indexes.change.preflight import at_any_load
from optimizer.indexes.change.progress import IndexProgress, JobPhase, JobRecord, JobSlot
from optimizer.indexes.change.server import DatabaseServer, Job, Machine, State
from optimizer.lifecycle import Recorder, RolledBack
from optimizer.policy import Database, Indexes
from optimizer.store import ActingRecords


@dataclass(frozen=True, slots=True)
class JobRunner:
    """The jobs of changes on one database.

    may_start: the freezes and windows of the policy.
    machine: reads the load and storage of the server from CloudWatch.
    remaining_ms: returns the time that is left for this call.
    """

    records: ActingRecords
    server: DatabaseServer
    database: Database
    limits: Indexes
    may_start: Callable[[datetime], Refusal | None]
    machine: Callable[[datetime], Machine]
    remaining_ms: Callable[[], float]

    def advance(self, recorder: Recorder[IndexProgress], slot: JobSlot, job: Job, now: datetime) -> Unfinished | None:
        """Advance the job whose record is in a slot, or begin it; None means that it is done."""
        record = recorder.progress.job_in(slot)
        if record is None:
            record = JobRecord(job=job, phase=JobPhase.WAITING, attempt=0, since=now)
            recorder.save(recorder.progress.with_job(slot, record))
        return self._run(recorder, slot, record, now).advance()

    def undo(self, recorder: Recorder[IndexProgress], now: datetime) -> Unfinished | RolledBack:
        """Stop what is running, and run the job that rolls the change back."""
        for slot in (JobSlot.JOB, JobSlot.DROP):
            record = recorder.progress.job_in(slot)
            if record is not None and not recorder.progress.stopped:
                unfinished = self._run(recorder, slot, record, now).stop()
                if unfinished is not None:
                    return unfinished
        recorder.save(replace(recorder.progress, stopped=True))
        change, progress = recorder.change, recorder.progress
        job = (
            steps.undo_job(change, progress, observe.look(self.server, change, Job.ANALYZE))
            if progress.undo is None
            else progress.undo.job
        )
        if job is None:
            return RolledBack((steps.nothing_to_undo(change),))
        return self.advance(recorder, JobSlot.UNDO, job, now) or RolledBack()

    def _run(self, recorder: Recorder[IndexProgress], slot: JobSlot, record: JobRecord, now: datetime) -> JobRun:
        change, undoes = recorder.change, slot is JobSlot.UNDO

        def save(changed: JobRecord) -> None:
            recorder.save(recorder.progress.with_job(slot, changed))

        def begin_build(state: State) -> None:
            shape = state.shape or str(change.after.get("definition") or "")
            self.records.record_build(self.database.name, shape, state.table_oid or 0, change.id, now)

        def may_start() -> str:
            # Rolling back does not wait for a window.
            refusal = None if undoes else self.may_start(now)
            return refusal.message if refusal else ""

        cluster = self.database.cluster or self.database.host
        return JobRun(
            change=change,
            now=now,
            record=record,
            server=self.server,
            # The index had its place before, and its absence may be what causes the load.
            limits=at_any_load(self.limits) if undoes else self.limits,
            save=save,
            take_turn=partial(self.records.take_turn, cluster, change.id, now),
            end_turn=partial(self.records.end_turn, cluster, change.id, now),
            begin_build=begin_build,
            may_start=may_start,
            machine=Machine if undoes else partial(self.machine, now),
            remaining_ms=self.remaining_ms,
        )
