"""The life of one change of indexes: made, watched, kept or taken back.

An index is dropped in stages: first it is hidden where the server can do that (MySQL, MariaDB), or only watched
(PostgreSQL, which has no such thing); it is dropped when the days of the watch are over, which is the step `keep`. What
makes it again is in the record before anything happens to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from optimizer.core import FINAL, Change, Status, StoredChange, Tuner
from optimizer.guardrails import ALTERS, IndexState, Refusal, table_of
from optimizer.indexes import describe
from optimizer.indexes.change import observe, steps as stages
from optimizer.indexes.change.job import JobOutcome, JobResult
from optimizer.indexes.change.job_runner import TRY_AGAIN_S, Working
from optimizer.indexes.change.server import DatabaseServer, Job, Machine
from optimizer.indexes.connect.drivers import DatabaseUnreachable
from optimizer.indexes.connect.slots import TooManyConnections
from optimizer.lifecycle import Answer, answer, applied_at, ended, look_number
from optimizer.policy import Database, Indexes
from optimizer.store import ActingRecords, RunStore

# How far ahead, and how finely, the next window is looked for.
_FARTHEST, _STEP = timedelta(days=21), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ChangeIndexes:
    """The steps; docs/architecture.md gives the answers. recheck: the guardrails on the live state; may_start: freezes
    and windows alone. machine: what CloudWatch knows of the server's. remaining_ms: of this call."""

    store: RunStore
    records: ActingRecords
    server: DatabaseServer
    database: Database
    limits: Indexes
    recheck: Callable[[Change, IndexState, datetime], Refusal | None]
    may_start: Callable[[datetime], Refusal | None]
    machine: Callable[[datetime], Machine]
    remaining_ms: Callable[[], float]

    def apply(self, change_id: str, now: datetime) -> Answer:
        """Look once more, then begin; `poll` goes on with what takes longer."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING:
            return self._applied(stored)
        if stored.status in FINAL:
            return ended(stored)
        if not self.store.move(change_id, Status.APPLYING, now, frm={Status.APPROVED}):
            return answer("refused", change_id, f"the change is {stored.status.value}, not approved")
        if not stored.progress:
            try:
                turned_down = self._prepare(stored.change, now)
            except (DatabaseUnreachable, TooManyConnections) as busy:
                return answer("pending", change_id, str(busy), wait_s=TRY_AGAIN_S)
            if turned_down is not None:
                return turned_down
        return self.poll(change_id, now)

    def poll(self, change_id: str, now: datetime) -> Answer:
        """Go on with what `apply` began."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING:
            return self._applied(stored)
        if stored.status is not Status.APPLYING:
            return ended(stored)
        if not stored.progress:
            return self.apply(change_id, now)
        progress = dict(stored.progress)
        job = stages.first_job(stored.change, self.database.engine)
        if job is not None:
            done = self._working.go_on("job", job, stored.change, progress, now)
            if done.result is JobResult.PENDING:
                return answer("pending", change_id, done.message, wait_s=done.wait_s)
            if done.result is not JobResult.DONE:
                return self._not_done(stored.change, done, now)
        try:
            said = self._said(stored.change, progress)
        except (DatabaseUnreachable, TooManyConnections) as busy:
            return answer("pending", change_id, str(busy), wait_s=TRY_AGAIN_S)
        self._cool_down(stored.change, now)
        self.store.save_progress(change_id, {**progress, "applied_at": applied_at(stored, now), "verified": 0})
        self.store.move(change_id, Status.WATCHING, now, frm={Status.APPLYING}, message=said)
        return self._applied(self.store.change(change_id))

    def verify(self, change_id: str, _now: datetime, verification: int | None = None) -> Answer:
        """Judge at the next age; the last one keeps. `verification`: which one this is, from 1."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return ended(stored)
        ages = self._ages(stored.change)
        number = min(look_number(stored.progress, verification), len(ages) - 1)
        try:
            problem, summary = observe.judge(self.server, stored.change, stored.progress, self.limits.max_slowdown)
        except (DatabaseUnreachable, TooManyConnections) as busy:
            return answer("watch", change_id, str(busy), wait_s=TRY_AGAIN_S)
        if problem:
            return answer("revert", change_id, problem)
        if number + 1 == len(ages):
            self.store.save_progress(change_id, {**stored.progress, "seen": summary})
            return answer("keep", change_id, summary)
        looked = {"verified": number + 1, "verification": verification}
        self.store.save_progress(change_id, {**stored.progress, **looked})
        # Not until a time of day: a clock that was set meanwhile would make the watch shorter.
        wait = timedelta(minutes=ages[number + 1] - ages[number])
        return answer("watch", change_id, summary, wait_s=_seconds(wait))

    def keep(self, change_id: str, now: datetime) -> Answer:
        """The watch is over. For a drop this is when it happens, and where nothing was hidden before it the statements
        are watched once more."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return ended(stored)
        message = " ".join(part for part in (stored.message, str(stored.progress.get("seen") or "")) if part)
        if stored.change.action == "drop_index":
            try:
                unfinished = self._drop(stored.change, dict(stored.progress), now)
            except (DatabaseUnreachable, TooManyConnections) as busy:
                return answer("pending", change_id, str(busy), wait_s=TRY_AGAIN_S)
            if unfinished is not None:
                return unfinished
            found = stored.progress.get("found") or {}
            message = describe.outcome("drop_index", found.get("size_bytes"), None)
        self._cool_down(stored.change, now)
        if not self.store.move(change_id, Status.KEPT, now, frm={Status.WATCHING}, message=message):
            return ended(self.store.change(change_id))
        return answer("kept", change_id, message)

    def revert(self, change_id: str, now: datetime, reason: str = "") -> Answer:
        """End what runs, remove what it left, and undo what was done, by the stored definition."""
        takes_back = {Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.KEPT, Status.REVERTING}
        stored = self.store.change(change_id)
        if stored.status is not Status.REVERTING and not self.store.move(
            change_id, Status.REVERTING, now, frm=takes_back - {Status.REVERTING}, message=reason
        ):
            return ended(self.store.change(change_id))
        progress = dict(stored.progress)
        try:
            undone = self._working.undo(stored.change, progress, now)
        except (DatabaseUnreachable, TooManyConnections) as busy:
            return answer("pending", change_id, str(busy), wait_s=TRY_AGAIN_S)
        if undone.result is JobResult.PENDING:
            return answer("pending", change_id, undone.message, wait_s=undone.wait_s)
        if undone.result is not JobResult.DONE:
            message = f"It could not be taken back: {undone.message} What makes it again is in the record."
            self.store.move(change_id, Status.FAILED, now, frm={Status.REVERTING}, message=message)
            return answer("failed", change_id, message)
        self._cool_down(stored.change, now)
        self.store.move(change_id, Status.REVERTED, now, frm={Status.REVERTING})
        return answer("reverted", change_id, undone.message)

    @property
    def _working(self) -> Working:
        return Working(
            store=self.store,
            records=self.records,
            server=self.server,
            database=self.database,
            limits=self.limits,
            may_start=self.may_start,
            machine=self.machine,
            remaining_ms=self.remaining_ms,
        )

    def _prepare(self, change: Change, now: datetime) -> Answer | None:
        """The last look before anything happens; records what there was."""
        job = stages.main_job(change)
        live = observe.look(self.server, change, job)
        before = {Status.APPLYING}
        stale = stages.stale(change, live) or observe.cover_is_gone(self.server, change)
        if stale:
            self.store.move(change.id, Status.STALE, now, frm=before, message=stale)
            return answer("stale", change.id, stale)
        size_bytes = max(float(change.before["size_bytes"]), float(live.size_bytes if live else 0))
        refusal = self.recheck(change, IndexState(size_bytes, live.protected if live else ""), now) or observe.breaker(
            self.store, change
        )
        if refusal is not None:
            message = f"{refusal.rule}: {refusal.message}"
            self.store.move(change.id, Status.REFUSED, now, frm=before, message=message)
            return {**answer("refused", change.id, refusal.message), "rule": refusal.rule}
        if change.action == "drop_index" and live and (missed := self.server.missed(live, self.limits.max_slowdown)):
            self.store.move(change.id, Status.REFUSED, now, frm=before, message=f"indexes.planner: {missed}")
            return {**answer("refused", change.id, missed), "rule": "indexes.planner"}
        table = live or observe.table(self.server, change)
        times = self.server.times(table) if table else None
        self.store.save_progress(
            change.id,
            {
                "found": asdict(live) if live else None,
                "definition": live.definition if live else "",
                "times": stages.times_document(times),
            },
        )
        return None

    def _not_done(self, change: Change, made: JobOutcome, now: datetime) -> Answer:
        blocked = made.result is JobResult.BLOCKED
        status = Status.REFUSED if blocked else Status.FAILED
        message = f"indexes.preflight: {made.message}" if blocked else made.message
        self.store.move(change.id, status, now, frm={Status.APPLYING}, message=message)
        return answer(status.value, change.id, made.message)

    def _drop(self, change: Change, progress: dict[str, Any], now: datetime) -> Answer | None:
        """The last stage of a drop; None when it is done and the statements bear it."""
        hidden = stages.first_job(change, self.database.engine) is not None
        ages = self.limits.watch_minutes
        if "dropped_at" not in progress:
            closed = None if _is_begun(progress.get("drop")) else self.may_start(now)
            if closed is not None and (wait := self._opens_in(now)):
                return answer("pending", change.id, closed.message, wait_s=_seconds(wait))
            made = self._working.go_on("drop", Job.DROP, change, progress, now)
            if made.result is JobResult.PENDING:
                return answer("pending", change.id, made.message, wait_s=made.wait_s)
            if made.result is not JobResult.DONE:
                return self._drop_failed(change, made, now)
            self.store.save_progress(change.id, {**progress, "dropped_at": now.isoformat(), "checked": 0})
            # What nobody could use while it was hidden, nobody misses.
            return None if hidden else self._watch_drop(change.id, timedelta(minutes=ages[0]))
        if hidden:
            return None
        slower = observe.statements(self.server, change, progress, self.limits.max_slowdown).slower
        if slower:
            return self.revert(change.id, now, slower)
        number = int(progress["checked"]) + 1
        if number >= len(ages):
            return None
        self.store.save_progress(change.id, {**progress, "checked": number})
        return self._watch_drop(change.id, timedelta(minutes=ages[number] - ages[number - 1]))

    def _opens_in(self, now: datetime) -> timedelta | None:
        """How long until something may start again; None: not for weeks."""
        steps = (_STEP * number for number in range(1, _FARTHEST // _STEP))
        return next((wait for wait in steps if self.may_start(now + wait) is None), None)

    def _watch_drop(self, change_id: str, wait: timedelta) -> Answer:
        return answer("pending", change_id, "the statements are watched", wait_s=_seconds(wait))

    def _drop_failed(self, change: Change, made: JobOutcome, now: datetime) -> Answer:
        hidden = stages.first_job(change, self.database.engine) is not None
        if hidden or made.result is JobResult.BLOCKED:
            return self.revert(change.id, now, f"It was not dropped: {made.message}")
        self.store.move(change.id, Status.FAILED, now, frm={Status.WATCHING}, message=made.message)
        return answer("failed", change.id, made.message)

    def _cool_down(self, change: Change, now: datetime) -> None:
        until = now + timedelta(days=self.limits.cool_down_days)
        self.store.cool_down(change.target, Tuner.INDEXES, until, change.id)
        if change.action in ALTERS:
            self.store.cool_down(table_of(change), Tuner.INDEXES, until, change.id)

    def _ages(self, change: Change) -> list[float]:
        return stages.ages(change, self.limits)

    def _said(self, change: Change, progress: dict[str, Any]) -> str:
        """What was done, with the server's own figures; leaves them in `progress`."""
        if change.action == "drop_index":
            return stages.WATCHED_FIRST
        live, found = observe.look(self.server, change, Job.ANALYZE), progress.get("found") or {}
        progress["sizes_bytes"] = [found.get("size_bytes"), live.size_bytes if live else None]
        return describe.outcome(change.action, *progress["sizes_bytes"])

    def _applied(self, stored: StoredChange) -> Answer:
        wait = timedelta(minutes=self._ages(stored.change)[0])
        return answer("applied", stored.change.id, stored.message, wait_s=_seconds(wait))


def _is_begun(job: Mapping[str, Any] | None) -> bool:
    return job is not None and job.get("phase", "waiting") != "waiting"


def _seconds(wait: timedelta) -> int:
    return max(1, round(wait.total_seconds()))
