"""Takes one statement from its first check to its end: waits, starts, polls, cleans up and tries again.

Everything that a later call must know is saved before anything is sent to the server. So a Lambda may be killed at any
point: the next call asks the server what happened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from optimizer.core import Change
from optimizer.indexes.change import observe
from optimizer.indexes.change.preflight import BUILDING, obstacle, obstacle_of_machine
from optimizer.indexes.change.progress import JobPhase, JobRecord
from optimizer.indexes.change.server import (
    Cancelled,
    DatabaseServer,
    Job,
    LockTimeout,
    Machine,
    State,
    StatementFailed,
    StatementProgress,
)
from optimizer.indexes.connect.drivers import DatabaseUnreachable
from optimizer.lifecycle import Blocked, Failed, Pending
from optimizer.policy import Indexes

# The call that sends the statement waits this long; most statements are done by then.
_SEND_S = 5.0
_RESERVE_MS = 15_000
_LONGEST_POLL_S = 120
_SHORTEST_POLL_S = 2
# How long a job waits for better conditions before it is blocked (for another change on the cluster: plus the time that
# the other change may take), and how long it waits between two checks.
_PATIENCE = timedelta(hours=1)
_LOOK_AGAIN_S = 60
_LONGEST_LOOK_AGAIN_S = 300
_BACKOFF_S = 30
# Cleaning up may take hours, because another session's transaction may prevent it. What remains even then is dropped by
# the next run, which recognises it as its own.
_CLEANING_TRIES = 60
_LONGEST_CLEANING_S = 600
_BUILDS = frozenset({Job.REBUILD, Job.CREATE})
_RULE = "indexes.preflight"
_TABLE_DROPPED = "its table was dropped meanwhile"


# The result of a call that did not finish the job: it goes on, it never began because the conditions never allowed
# it, or it did not succeed.
type Unfinished = Pending | Blocked | Failed


@dataclass(slots=True)
class JobRun:
    """One job of a change, advanced by one call.

    record: the job's record as it is stored.
    save: stores the record durably.
    take_turn, end_turn: reserve the cluster for this change and release it.
    begin_build: records that an index which the build may leave belongs to this application.
    may_start: returns why nothing may start now (windows, freezes), or an empty string.
    machine: reads the load and storage of the server from CloudWatch.
    remaining_ms: returns the time that is left for this call.
    """

    change: Change
    now: datetime
    record: JobRecord
    server: DatabaseServer
    limits: Indexes
    save: Callable[[JobRecord], None]
    take_turn: Callable[[], bool]
    end_turn: Callable[[], None]
    begin_build: Callable[[State], None]
    may_start: Callable[[], str]
    machine: Callable[[], Machine]
    remaining_ms: Callable[[], float]

    @property
    def job(self) -> Job:
        """The kind of the job."""
        return self.record.job

    def advance(self) -> Unfinished | None:
        """Take the job as far as this call can; None means that it is done."""
        unfinished = self._step()
        if not isinstance(unfinished, Pending) or self.record.phase is JobPhase.WAITING:
            self.end_turn()
        return unfinished

    def stop(self) -> Pending | None:
        """Stop the job and clean up; None means that nothing of it is running or left on the server."""
        if self.record.phase is JobPhase.WAITING:
            return None
        self._store(replace(self.record, stopped=True))
        if self.server.running(self._session) is not None:
            self.server.cancel(self._session)
            return Pending(_SHORTEST_POLL_S, "waiting for the cancelled statement to end")
        unfinished = self._settle("it was stopped")
        if isinstance(unfinished, Pending):
            return unfinished
        self.end_turn()
        return None

    @property
    def _session(self) -> Mapping[str, Any]:
        return self.record.session or {}

    def _store(self, record: JobRecord) -> None:
        self.save(record)
        self.record = record

    def _step(self) -> Unfinished | None:
        if self.record.phase is JobPhase.WAITING:
            return self._start()
        if self.record.phase is JobPhase.WORKING:
            running = self.server.running(self._session)
            if running is not None:
                return self._still_running(running)
        return self._settle(self.record.problem or "")

    def _start(self) -> Unfinished | None:
        pause_s = _pause_s(self.record, self.now)
        if pause_s > 0:
            return Pending(max(1, round(pause_s)), self.record.problem or "")
        if not self.take_turn():
            patience = _PATIENCE + timedelta(minutes=self.limits.max_build_minutes)
            return self._wait("Another change is being applied on the same cluster.", patience)
        live = observe.look(self.server, self.change, self.job)
        if live is None and self.job is not Job.CREATE:
            return self._gone()
        closed = self.may_start()
        if closed:
            return Blocked(_RULE, closed)
        table = live or observe.table(self.server, self.change)
        if table is None:
            return Failed(_TABLE_DROPPED)
        blocked = obstacle(self.job, self.server.conditions(table), self.limits)
        if not blocked and self.job in BUILDING:
            # A new index cannot be larger than its whole table.
            blocked = obstacle_of_machine(self.machine(), (live or table).size_bytes, self.limits)
        if blocked:
            return self._wait(blocked, _PATIENCE)
        return self._send(live, _with_table(live or _absent(self.change), table))

    def _send(self, live: State | None, target: State) -> Unfinished | None:
        try:
            statement = self.server.statement(self.job, self.change, live)
            worker = self.server.worker(self.limits.lock_timeout_ms)
        except StatementFailed as failed:
            return Failed(str(failed))
        try:
            if self.job in _BUILDS:
                self.begin_build(target)
            known = tuple(left.oid for left in self.server.leftovers(target, self.job))
            begun = replace(
                self.record,
                phase=JobPhase.WORKING,
                attempt=self.record.attempt + 1,
                problem=None,
                session=worker.session(statement),
                began_at=self.now,
                target=target,
                known=known if self.record.known is None else self.record.known,
            )
            self._store(begun)
            try:
                within_s = max(0.1, min(_SEND_S, (self.remaining_ms() - _RESERVE_MS) / 1000))
                if not worker.send(statement, within_s):
                    return Pending(_SHORTEST_POLL_S, "the statement is running")
                ended = replace(begun, sent=True)
            except (LockTimeout, Cancelled, DatabaseUnreachable) as interrupted:
                ended = replace(begun, problem=str(interrupted))
            except StatementFailed as failed:
                ended = replace(begun, problem=str(failed), fatal=True)
            self._store(ended)
        finally:
            worker.close()
        return self._settle(self.record.problem or "")

    def _still_running(self, running: StatementProgress) -> Unfinished | None:
        if self.record.began_at and self.now - self.record.began_at > timedelta(minutes=self.limits.max_build_minutes):
            problem = f"it took longer than {self.limits.max_build_minutes} minutes (indexes.max_build_minutes)"
            self._store(replace(self.record, problem=problem, fatal=True))
            self.server.cancel(self._session)
            return Pending(_SHORTEST_POLL_S, problem)
        # This also prolongs the turn.
        self.take_turn()
        wait_s = min(_LONGEST_POLL_S, max(_SHORTEST_POLL_S, round(running.seconds / 4)))
        phase = f": {running.phase}" if running.phase else ""
        return Pending(wait_s, f"the statement is running{phase}")

    def _settle(self, problem: str) -> Unfinished | None:
        """Clean up after the statement, however it ended, and return its outcome."""
        target = self.record.target or _absent(self.change)
        unclean = self._clean_up(target, problem)
        if unclean is not None:
            return unclean
        live = observe.look(self.server, self.change, self.job)
        if self._is_achieved(live, target):
            return None
        if self.record.stopped:
            return Failed(problem)
        if live is None and self.job is not Job.CREATE:
            return self._gone()
        if self.job is Job.CREATE and observe.table(self.server, self.change) is None:
            return Failed(_TABLE_DROPPED)
        return self._try_again(
            problem or "the statement ended without effect, because its connection broke or the server stopped"
        )

    def _clean_up(self, target: State, problem: str) -> Unfinished | None:
        """Drop what the statement left; None when nothing is left."""
        for left in self.server.leftovers(target, self.job):
            if left.oid in (self.record.known or ()):
                continue
            cleaned = (self.record.cleaned or 0) + 1
            self._store(replace(self.record, phase=JobPhase.CLEANING, cleaned=cleaned, problem=problem))
            try:
                self.server.remove(left, self.limits.lock_timeout_ms)
            except (LockTimeout, Cancelled) as busy:
                if cleaned >= _CLEANING_TRIES:
                    return Failed(f"{problem}; the invalid index {left.schema}.{left.index} must be dropped")
                wait_s = min(_LONGEST_CLEANING_S, _BACKOFF_S * cleaned)
                return Pending(wait_s, f"cleaning up: {busy}")
        return None

    def _try_again(self, problem: str) -> Unfinished | None:
        if self.record.fatal or self.record.attempt >= self.limits.lock_attempts:
            attempts = "" if self.record.fatal else f" in {self.record.attempt} attempts"
            return Failed(f"The statement did not succeed{attempts}: {problem}.")
        wait_s = _backoff_s(self.record)
        not_before = self.now + timedelta(seconds=wait_s)
        self._store(replace(self.record, phase=JobPhase.WAITING, problem=problem, not_before=not_before, known=None))
        return Pending(wait_s, problem)

    def _wait(self, reason: str, patience: timedelta) -> Unfinished | None:
        """Wait, longer each time, because the state machine polls a limited number of times."""
        waited = self.now - self.record.since
        if waited > patience:
            return Blocked(_RULE, reason)
        wait_s = min(_LONGEST_LOOK_AGAIN_S, max(_LOOK_AGAIN_S, waited.total_seconds() / 10))
        return Pending(round(wait_s), reason)

    def _is_achieved(self, live: State | None, target: State) -> bool:
        if self.job is Job.DROP:
            return live is None or (target.oid is not None and live.oid != target.oid)
        if live is None:
            return False
        if self.job is Job.HIDE:
            return not live.is_visible
        if self.job is Job.SHOW:
            return live.is_visible
        if self.job is Job.CREATE:
            return live.is_valid
        changed = bool(self.record.sent) or live.mark != target.mark
        return changed and live.is_valid if self.job is Job.REBUILD else changed

    def _gone(self) -> Unfinished | None:
        if self.job is Job.DROP:
            return None
        return Failed("it was dropped meanwhile")


def _pause_s(record: JobRecord, now: datetime) -> float:
    """Return the seconds until the next attempt.

    A pause that is longer than the longest possible one means that the clock was moved backwards in the meantime.
    """
    if record.not_before is None:
        return 0.0
    pause_s = (record.not_before - now).total_seconds()
    return pause_s if pause_s <= _backoff_s(record) else 0.0


def _backoff_s(record: JobRecord) -> int:
    return int(_BACKOFF_S * 2 ** (record.attempt - 1))


def _absent(change: Change) -> State:
    return State(change.before["schema"], change.before["table"], str(change.before.get("index") or ""), 0, "")


def _with_table(target: State, table: State) -> State:
    return target if target.table_oid is not None else replace(target, table_oid=table.table_oid)
