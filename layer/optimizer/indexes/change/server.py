"""What the life of a change asks of a database server, whatever its engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from optimizer.core import Change


class Job(StrEnum):
    """One statement that changes something."""

    ANALYZE = "analyze"
    VACUUM = "vacuum"
    CLEAN_PENDING_LIST = "clean_pending_list"
    REBUILD = "rebuild"
    DROP = "drop"
    CREATE = "create"
    OPTIMIZE = "optimize"
    HIDE = "hide"
    SHOW = "show"


class LockTimeout(RuntimeError):
    """The statement waited as long as it may for a lock; nothing of it stays, or only what `leftovers` finds."""


class Cancelled(RuntimeError):
    """Somebody or some limit ended the statement."""


class StatementFailed(RuntimeError):
    """The server does not carry the statement out; another try would not either."""


@dataclass(frozen=True, slots=True)
class State:
    """An index or table (`index` empty) as it is. `definition` is the statement that makes the index again; `shape` is
    the definition without the name. `mark` changes with each rebuild, vacuum or analyze: what it is made of is the
    engine's. `protected`: why the change at hand must not touch it. `scans` counts its uses, None if not known."""

    schema: str
    table: str
    index: str
    size_bytes: int
    mark: str
    definition: str = ""
    shape: str = ""
    oid: int | None = None
    table_oid: int | None = None
    is_valid: bool = True
    is_visible: bool = True
    is_special: bool = False
    protected: str = ""
    scans: int | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What could make a build wait or hurt; None is not known. `busy`: another build or vacuum of the same table.
    `active_sessions`: at work on the whole server."""

    transaction_s: float | None = None
    holder: str = ""
    lock_waiters: int | None = None
    replica_lag_s: float | None = None
    busy: str = ""
    active_sessions: int | None = None


@dataclass(frozen=True, slots=True)
class StatementProgress:
    """A statement that is running, with the server's own words for where it is."""

    seconds: float
    phase: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class StatementTimes:
    """What the server counted of one statement since its counters were cleared; `squares_ms2`: the sum of the squares
    of the durations, None where the server keeps no variance."""

    calls: int
    total_ms: float
    squares_ms2: float | None = None
    text: str = field(default="", compare=False)


class Worker(Protocol):
    """A connection of its own for one statement that may take hours."""

    def session(self, statement: str) -> dict[str, Any]:
        """What tells the session that will run the statement from all others of the server, also later: plain JSON."""

    def send(self, statement: str, within_s: float) -> bool:
        """Send it and wait so long: True if it is done, False if it goes on without us. LockTimeout, Cancelled or
        StatementFailed if it has ended otherwise; Unreachable if the connection broke."""

    def close(self) -> None:
        """Hang up; a statement that goes on does not mind."""


class DatabaseServer(Protocol):
    """The writer of a database, read and changed. Unreachable is raised by everything where it cannot be asked."""

    def look(self, schema: str, table: str, index: str, job: Job) -> State | None:
        """The index, or the table if `index` is empty; None if there is none of that name."""

    def conditions(self, state: State) -> Conditions:
        """What is going on around it."""

    def statement(self, job: Job, change: Change, state: State | None) -> str:
        """The SQL of a job, with names as the server quotes them; StatementFailed where it cannot be written."""

    def worker(self, lock_timeout_ms: int) -> Worker:
        """A new connection whose statements wait so long for a lock."""

    def running(self, session: Mapping[str, Any]) -> StatementProgress | None:
        """What the session does; None if it is gone or idle."""

    def cancel(self, session: Mapping[str, Any]) -> None:
        """End what the session does, if it still does."""

    def leftovers(self, state: State, job: Job) -> Sequence[State]:
        """Invalid indexes of the same table that an interrupted build of this index would leave."""

    def remove(self, leftover: State, lock_timeout_ms: int) -> None:
        """Drop what was left, by its identity, if it still is what it was. LockTimeout if others are in the way."""

    def times(self, state: State) -> Mapping[str, StatementTimes] | None:
        """The statements that name the table, by a key that stays; None where the server does not count them."""

    def missed(self, state: State, max_slowdown: float) -> str:
        """Which statement would cost more without the index, by the planner's reckoning; empty if none or not known."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`name`: what CloudWatch has it under; empty: it is none of RDS's as far as the policy and the host name say.
    None is not known, and `problem` is why. cpu_percent: mean of the last minutes. free_bytes: the latest figure."""

    name: str = ""
    cpu_percent: float | None = None
    free_bytes: float | None = None
    problem: str = ""
