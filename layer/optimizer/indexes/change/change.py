"""The hooks of a change of indexes.

An index is dropped in stages: first it is hidden where the server can do that (MySQL, MariaDB), or only observed
(PostgreSQL, which cannot hide one); it is dropped when the days of its observation are over, in the step `keep`. The
statement that creates it again is in the record before anything happens to it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from optimizer.core import Change, Status
from optimizer.guardrails import ALTERS, IndexState, Refusal, table_of
from optimizer.indexes import describe
from optimizer.indexes.change import observe, steps as stages
from optimizer.indexes.change.job_runner import JobRunner
from optimizer.indexes.change.progress import IndexProgress, JobPhase, JobSlot
from optimizer.indexes.change.server import DatabaseServer, Job, Machine
from optimizer.indexes.change.steps import IndexAction
from optimizer.indexes.connect import DatabaseUnreachable, TooManyConnections
from optimizer.lifecycle import (
    Applied,
    Blocked,
    End,
    Failed,
    Finished,
    Hooks,
    Keep,
    Look,
    Observation,
    Outdated,
    Pending,
    Ready,
    Recorder,
    RollBack,
    RolledBack,
    WatchOn,
    rest_until,
)
from optimizer.policy import Database, Indexes
from optimizer.store import ActingRecords, RunStore

# How far ahead, and how finely, the next window is looked for.
_FARTHEST, _STEP = timedelta(days=21), timedelta(minutes=10)
_COOLS_DOWN = frozenset({Status.WATCHING, Status.KEPT, Status.REVERTED})


@dataclass(frozen=True, slots=True)
class IndexHooks(Hooks[IndexProgress]):
    """Change the indexes of a database.

    recheck: the guardrails on the live state.
    may_start: the freezes and windows of the policy.
    machine: reads the load and storage of the server from CloudWatch.
    remaining_ms: returns the time that is left for this call.
    """

    progress_type: ClassVar = IndexProgress
    try_again_after: ClassVar = (DatabaseUnreachable, TooManyConnections)

    store: RunStore
    records: ActingRecords
    server: DatabaseServer
    database: Database
    limits: Indexes
    recheck: Callable[[Change, IndexState, datetime], Refusal | None]
    may_start: Callable[[datetime], Refusal | None]
    machine: Callable[[datetime], Machine]
    remaining_ms: Callable[[], float]

    def prepare(self, change: Change, now: datetime) -> Ready[IndexProgress] | End:
        """Check the index and the guardrails, and record what there is."""
        live = observe.look(self.server, change, stages.main_job(change))
        outdated = stages.stale(change, live) or observe.cover_is_gone(self.server, change)
        if outdated:
            return Outdated(outdated)
        size_bytes = max(float(change.before["size_bytes"]), float(live.size_bytes if live else 0))
        state = IndexState(size_bytes, live.protected if live else "")
        refusal = self.recheck(change, state, now) or observe.breaker(self.store, change)
        if refusal is not None:
            return Blocked(refusal.rule, refusal.message)
        drops = change.action == IndexAction.DROP_INDEX
        if drops and live and (missed := self.server.missed(live, self.limits.max_slowdown)):
            return Blocked("indexes.planner", missed)
        table = live or observe.table(self.server, change)
        times = self.server.times(table) if table else None
        return Ready(IndexProgress(found=live, definition=live.definition if live else "", times=times))

    def advance(self, recorder: Recorder[IndexProgress], now: datetime) -> Applied | Pending | End:
        """Run the first job of the change."""
        change = recorder.change
        job = stages.first_job(change, self.database.engine)
        if job is not None and (unfinished := self._jobs.advance(recorder, JobSlot.JOB, job, now)):
            return unfinished
        if change.action != IndexAction.DROP_INDEX:
            live, found = observe.look(self.server, change, Job.ANALYZE), recorder.progress.found
            # As floats, as they are read back: a step that is taken again must write the same record.
            sizes = (float(found.size_bytes) if found else None, float(live.size_bytes) if live else None)
            recorder.save(replace(recorder.progress, sizes_bytes=sizes))
        return Applied(stages.applied_message(change, recorder.progress))

    def observation(self, change: Change, progress: IndexProgress) -> Observation:
        """Look at the ages of the policy; a drop is observed for the hidden days."""
        ages_s = [minutes * 60 for minutes in stages.ages(change, self.limits)]
        return Observation(ages_s, stages.applied_message(change, progress))

    def observe(self, recorder: Recorder[IndexProgress], look: Look) -> Keep | WatchOn | RollBack:
        """Judge the statements of the table."""
        progress = recorder.progress
        problem, summary = observe.judge(self.server, recorder.change, progress, self.limits.max_slowdown)
        if problem:
            return RollBack(problem)
        if not look.is_last:
            return WatchOn(summary)
        recorder.save(replace(progress, seen=summary))
        return Keep(summary)

    def finish(self, recorder: Recorder[IndexProgress], now: datetime) -> Finished | Pending | RollBack | Failed:
        """Drop the index that was observed, and where it was not hidden before, compare the statements once more."""
        change, progress = recorder.change, recorder.progress
        if change.action != IndexAction.DROP_INDEX:
            said = (stages.applied_message(change, progress), progress.seen or "")
            return Finished(" ".join(filter(None, said)))
        size_bytes = progress.found.size_bytes if progress.found else None
        return self._drop(recorder, now) or Finished(describe.outcome(change.action, size_bytes, None))

    def roll_back(self, recorder: Recorder[IndexProgress], now: datetime) -> RolledBack | Pending | Failed:
        """Stop what is running, remove what it left, and restore the index from the stored definition."""
        undone = self._jobs.undo(recorder, now)
        if isinstance(undone, Blocked | Failed):
            return Failed(
                f"It could not be rolled back: {undone.message} The definition of the index is stored with the change."
            )
        return undone

    def touches(self, change: Change) -> list[str]:
        """Return the index, and its table if its indexes are other ones afterwards."""
        return [change.target, *([table_of(change)] if change.action in ALTERS else [])]

    def cool_down(self, change: Change, status: Status, since: datetime) -> dict[str, datetime]:
        """Leave the index alone for a while after a change, and its table too if its indexes are other ones."""
        until = rest_until(since, self.limits.cool_down_days)
        return dict.fromkeys(self.touches(change), until) if status in _COOLS_DOWN else {}

    @property
    def _jobs(self) -> JobRunner:
        return JobRunner(
            records=self.records,
            server=self.server,
            database=self.database,
            limits=self.limits,
            may_start=self.may_start,
            machine=self.machine,
            remaining_ms=self.remaining_ms,
        )

    def _drop(self, recorder: Recorder[IndexProgress], now: datetime) -> Pending | RollBack | Failed | None:
        """Take the last stage of a drop; None when it is done and no statement is slower."""
        progress, ages = recorder.progress, self.limits.watch_minutes
        hidden = stages.first_job(recorder.change, self.database.engine) is not None
        if progress.dropped_at is None:
            is_begun = progress.drop is not None and progress.drop.phase is not JobPhase.WAITING
            closed = None if is_begun else self.may_start(now)
            if closed is not None and (wait := self._opens_in(now)):
                return Pending(_seconds(wait), closed.message)
            unfinished = self._jobs.advance(recorder, JobSlot.DROP, Job.DROP, now)
            if isinstance(unfinished, Blocked) or (hidden and isinstance(unfinished, Failed)):
                return RollBack(f"It was not dropped: {unfinished.message}")
            if unfinished is not None:
                return unfinished
            recorder.save(replace(recorder.progress, dropped_at=now, checked=0))
            # No statement could use the index while it was hidden, so none misses it now.
            return None if hidden else _compare_in(timedelta(minutes=ages[0]))
        if hidden:
            return None
        slower = observe.statements(self.server, recorder.change, progress, self.limits.max_slowdown).slower
        if slower:
            return RollBack(slower)
        number = (progress.checked or 0) + 1
        if number >= len(ages):
            return None
        recorder.save(replace(progress, checked=number))
        return _compare_in(timedelta(minutes=ages[number] - ages[number - 1]))

    def _opens_in(self, now: datetime) -> timedelta | None:
        """Return how long it is until something may start again; None if it is weeks."""
        steps = (_STEP * number for number in range(1, _FARTHEST // _STEP))
        return next((wait for wait in steps if self.may_start(now + wait) is None), None)


def _compare_in(wait: timedelta) -> Pending:
    return Pending(_seconds(wait), "the statements are under observation")


def _seconds(wait: timedelta) -> int:
    return max(1, round(wait.total_seconds()))
