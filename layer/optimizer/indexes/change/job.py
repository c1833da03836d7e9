"""Takes one statement from its first check to its end: waits, starts, polls, cleans up and tries again.

Everything that a later call must know is saved before anything is sent to the server. So a Lambda may be killed at any
point: the next call asks the server what happened.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from optimizer.core import Change
from optimizer.indexes.change import observe
from optimizer.indexes.change.preflight import BUILDING, obstacle, obstacle_of_machine
from optimizer.indexes.change.server import Cancelled, DatabaseServer, Job, LockTimeout, Machine, State, StatementFailed
from optimizer.indexes.connect.drivers import DatabaseUnreachable
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
_TABLE_DROPPED = "its table was dropped meanwhile"


class JobResult(StrEnum):
    """The result of a call. BLOCKED: the job never began, because the conditions never allowed it."""

    DONE = "done"
    PENDING = "pending"
    BLOCKED = "blocked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """The result of a call; `wait_s`: seconds until the next call of a PENDING job."""

    result: JobResult
    message: str = ""
    wait_s: int = 0


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one change on one server.

    save: stores the job's record (a JSON object) durably.
    take_turn, end_turn: reserve the cluster for this change and release it.
    begin_build: records that an index which the build may leave belongs to this application.
    may_start: returns why nothing may start now (windows, freezes), or an empty string.
    machine: reads the load and storage of the server from CloudWatch.
    remaining_ms: returns the time that is left for this call.
    """

    server: DatabaseServer
    limits: Indexes
    save: Callable[[Mapping[str, Any]], None]
    take_turn: Callable[[], bool]
    end_turn: Callable[[], None]
    begin_build: Callable[[State], None]
    may_start: Callable[[], str]
    machine: Callable[[], Machine]
    remaining_ms: Callable[[], float]

    def go_on(self, job: Job, change: Change, record: dict[str, Any], now: datetime) -> JobOutcome:
        """Advance the job; `record` is empty in the first call, and contains what was saved last in the others."""
        if not record:
            record.update(job=job.value, phase="waiting", attempt=0, since=now.isoformat())
            self.save(record)
        answer = self._step(job, change, record, now)
        if answer.result is not JobResult.PENDING or record["phase"] == "waiting":
            self.end_turn()
        return answer

    def stop(self, change: Change, record: dict[str, Any], now: datetime) -> JobOutcome:
        """Stop the job and clean up; DONE means that nothing of it is running or left on the server."""
        job = Job(record["job"])
        if record["phase"] == "waiting":
            return JobOutcome(JobResult.DONE)
        record.update(stopped=True)
        self.save(record)
        if self.server.running(record["session"]) is not None:
            self.server.cancel(record["session"])
            return JobOutcome(JobResult.PENDING, "waiting for the cancelled statement to end", _SHORTEST_POLL_S)
        answer = self._settle(job, change, record, now, "it was stopped")
        if answer.result is not JobResult.PENDING:
            self.end_turn()
            return JobOutcome(JobResult.DONE, answer.message)
        return answer

    def _step(self, job: Job, change: Change, record: dict[str, Any], now: datetime) -> JobOutcome:
        if record["phase"] == "waiting":
            return self._start(job, change, record, now)
        if record["phase"] == "working":
            running = self.server.running(record["session"])
            if running is not None:
                return self._still_running(record, running.seconds, running.phase, now)
        return self._settle(job, change, record, now, record.get("problem", ""))

    def _start(self, job: Job, change: Change, record: dict[str, Any], now: datetime) -> JobOutcome:
        pause_s = _pause_s(record, now)
        if pause_s > 0:
            return JobOutcome(JobResult.PENDING, record.get("problem", ""), max(1, round(pause_s)))
        if not self.take_turn():
            patience = _PATIENCE + timedelta(minutes=self.limits.max_build_minutes)
            return self._wait(record, now, "Another change is being applied on the same cluster.", patience)
        live = observe.look(self.server, change, job)
        if live is None and job is not Job.CREATE:
            return self._gone(job)
        target = live or _absent(change)
        closed = self.may_start()
        if closed:
            return JobOutcome(JobResult.BLOCKED, closed)
        table = live or observe.table(self.server, change)
        if table is None:
            return JobOutcome(JobResult.FAILED, _TABLE_DROPPED)
        blocked = obstacle(job, self.server.conditions(table), self.limits)
        if not blocked and job in BUILDING:
            # A new index cannot be larger than its whole table.
            blocked = obstacle_of_machine(self.machine(), (live or table).size_bytes, self.limits)
        if blocked:
            return self._wait(record, now, blocked, _PATIENCE)
        return self._send(job, change, record, live, _with_table(target, table), now)

    def _send(
        self, job: Job, change: Change, record: dict[str, Any], live: State | None, target: State, now: datetime
    ) -> JobOutcome:
        try:
            statement = self.server.statement(job, change, live)
            worker = self.server.worker(self.limits.lock_timeout_ms)
        except StatementFailed as failed:
            return JobOutcome(JobResult.FAILED, str(failed))
        try:
            if job in _BUILDS:
                self.begin_build(target)
            known = [left.oid for left in self.server.leftovers(target, job)]
            record.pop("problem", None)
            record.update(
                phase="working",
                attempt=record["attempt"] + 1,
                session=worker.session(statement),
                began_at=now.isoformat(),
                target=asdict(target),
                known=record.get("known", known),
            )
            self.save(record)
            try:
                within_s = max(0.1, min(_SEND_S, (self.remaining_ms() - _RESERVE_MS) / 1000))
                if not worker.send(statement, within_s):
                    return JobOutcome(JobResult.PENDING, "the statement is running", _SHORTEST_POLL_S)
                record.update(sent=True)
            except (LockTimeout, Cancelled, DatabaseUnreachable) as ended:
                record.update(problem=str(ended))
            except StatementFailed as failed:
                record.update(problem=str(failed), fatal=True)
        finally:
            worker.close()
        return self._settle(job, change, record, now, record.get("problem", ""))

    def _still_running(self, record: dict[str, Any], seconds: float, phase: str, now: datetime) -> JobOutcome:
        age = now - datetime.fromisoformat(record["began_at"])
        if age > timedelta(minutes=self.limits.max_build_minutes):
            problem = f"it took longer than {self.limits.max_build_minutes} minutes (indexes.max_build_minutes)"
            record.update(problem=problem, fatal=True)
            self.save(record)
            self.server.cancel(record["session"])
            return JobOutcome(JobResult.PENDING, problem, _SHORTEST_POLL_S)
        # This also prolongs the turn.
        self.take_turn()
        wait_s = min(_LONGEST_POLL_S, max(_SHORTEST_POLL_S, round(seconds / 4)))
        return JobOutcome(JobResult.PENDING, f"the statement is running{f': {phase}' if phase else ''}", wait_s)

    def _settle(self, job: Job, change: Change, record: dict[str, Any], now: datetime, problem: str) -> JobOutcome:
        """Clean up after the statement, however it ended, and return its outcome."""
        target = _state(record["target"])
        for left in self.server.leftovers(target, job):
            if left.oid in record["known"]:
                continue
            record.update(phase="cleaning", cleaned=record.get("cleaned", 0) + 1, problem=problem)
            self.save(record)
            try:
                self.server.remove(left, self.limits.lock_timeout_ms)
            except (LockTimeout, Cancelled) as busy:
                if record["cleaned"] >= _CLEANING_TRIES:
                    return JobOutcome(
                        JobResult.FAILED, f"{problem}; the invalid index {left.schema}.{left.index} must be dropped"
                    )
                wait_s = min(_LONGEST_CLEANING_S, _BACKOFF_S * record["cleaned"])
                return JobOutcome(JobResult.PENDING, f"cleaning up: {busy}", wait_s)
        live = observe.look(self.server, change, job)
        if self._is_achieved(job, record, live, target):
            return JobOutcome(JobResult.DONE)
        if record.get("stopped"):
            return JobOutcome(JobResult.FAILED, problem)
        if live is None and job is not Job.CREATE:
            return self._gone(job)
        if job is Job.CREATE and observe.table(self.server, change) is None:
            return JobOutcome(JobResult.FAILED, _TABLE_DROPPED)
        problem = problem or "the statement ended without effect, because its connection broke or the server stopped"
        if record.get("fatal") or record["attempt"] >= self.limits.lock_attempts:
            tries = "" if record.get("fatal") else f" in {record['attempt']} attempts"
            return JobOutcome(JobResult.FAILED, f"The statement did not succeed{tries}: {problem}.")
        wait_s = _backoff_s(record)
        record.update(phase="waiting", problem=problem, not_before=(now + timedelta(seconds=wait_s)).isoformat())
        record.pop("known", None)
        self.save(record)
        return JobOutcome(JobResult.PENDING, problem, wait_s)

    def _wait(self, record: dict[str, Any], now: datetime, reason: str, patience: timedelta) -> JobOutcome:
        """Wait, longer each time, because the state machine polls a limited number of times."""
        waited = now - datetime.fromisoformat(record["since"])
        if waited > patience:
            return JobOutcome(JobResult.BLOCKED, reason)
        wait_s = min(_LONGEST_LOOK_AGAIN_S, max(_LOOK_AGAIN_S, waited.total_seconds() / 10))
        return JobOutcome(JobResult.PENDING, reason, round(wait_s))

    def _is_achieved(self, job: Job, record: Mapping[str, Any], live: State | None, target: State) -> bool:
        if job is Job.DROP:
            return live is None or (target.oid is not None and live.oid != target.oid)
        if live is None:
            return False
        if job is Job.HIDE:
            return not live.is_visible
        if job is Job.SHOW:
            return live.is_visible
        if job is Job.CREATE:
            return live.is_valid
        changed = bool(record.get("sent")) or live.mark != target.mark
        return changed and live.is_valid if job is Job.REBUILD else changed

    def _gone(self, job: Job) -> JobOutcome:
        return (
            JobOutcome(JobResult.DONE) if job is Job.DROP else JobOutcome(JobResult.FAILED, "it was dropped meanwhile")
        )


def _pause_s(record: Mapping[str, Any], now: datetime) -> float:
    """Return the seconds until the next attempt.

    A pause that is longer than the longest possible one means that the clock was moved backwards in the meantime.
    """
    if "not_before" not in record:
        return 0.0
    pause_s = (datetime.fromisoformat(record["not_before"]) - now).total_seconds()
    return pause_s if pause_s <= _backoff_s(record) else 0.0


def _backoff_s(record: Mapping[str, Any]) -> int:
    return int(_BACKOFF_S * 2 ** (record["attempt"] - 1))


def _absent(change: Change) -> State:
    return State(change.before["schema"], change.before["table"], str(change.before.get("index") or ""), 0, "")


def _with_table(target: State, table: State) -> State:
    return target if target.table_oid is not None else _state({**asdict(target), "table_oid": table.table_oid})


def _state(document: Mapping[str, Any]) -> State:
    names = {field.name for field in fields(State)}
    return State(**{name: value for name, value in document.items() if name in names})
