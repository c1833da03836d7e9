"""The interface between a change of indexes and the database server, the same for every engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from optimizer.core import Change, OptimizerError


class Job(StrEnum):
    """One statement that changes something on the server."""

    ANALYZE = "analyze"
    VACUUM = "vacuum"
    CLEAN_PENDING_LIST = "clean_pending_list"
    REBUILD = "rebuild"
    DROP = "drop"
    CREATE = "create"
    OPTIMIZE = "optimize"
    HIDE = "hide"
    SHOW = "show"


class LockTimeout(OptimizerError, RuntimeError):
    """The statement waited for a lock for as long as it may.

    It has no effect, apart from invalid indexes that `leftovers` lists.
    """


class Cancelled(OptimizerError, RuntimeError):
    """A person or a limit of the server ended the statement."""


class StatementFailed(OptimizerError, RuntimeError):
    """The server rejects the statement and would reject it again."""


@dataclass(frozen=True, slots=True)
class State:
    """The live state of an index, or of a table where `index` is empty.

    definition: the statement that creates the index again.
    shape: the definition without the name of the index.
    mark: changes with each rebuild, vacuum or analyze; each engine composes it differently.
    is_special: a rebuild needs more care (unique, partial, on an expression).
    protected: the reason why this job must not touch the index; empty if it may.
    scans: how often the index has been used; None if unknown.
    """

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
    """The circumstances that could make a build wait or do harm; None means unknown.

    transaction_s: age of the oldest open transaction, which `holder` names.
    busy: another build or vacuum of the same table, in words; empty if there is none.
    active_sessions: sessions of the whole server that are executing a statement.
    faulty_builds: why the server's version builds no index safely; empty if it does.
    """

    transaction_s: float | None = None
    holder: str = ""
    lock_waiters: int | None = None
    replica_lag_s: float | None = None
    busy: str = ""
    active_sessions: int | None = None
    faulty_builds: str = ""


@dataclass(frozen=True, slots=True)
class StatementProgress:
    """A running statement. `phase` is in the server's own words, `share` is the part that is done (0 to 1)."""

    seconds: float
    phase: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class StatementTimes:
    """The server's counters of one statement since they were last reset.

    squares_ms2: the sum of the squared durations; None where the server keeps no variance.
    """

    calls: int
    total_ms: float
    squares_ms2: float | None = None
    text: str = field(default="", compare=False)


class Worker(Protocol):
    """A dedicated connection for one statement that may take hours."""

    def session(self, statement: str) -> dict[str, Any]:
        """Return, as plain JSON, what identifies the session of the statement among all others, now and later."""

    def send(self, statement: str, within_s: float) -> bool:
        """Send the statement and wait for `within_s` seconds.

        Return True if it is done and False if it continues on the server. Raise LockTimeout, Cancelled or
        StatementFailed if it ended in another way, and DatabaseUnreachable if the connection broke.
        """

    def close(self) -> None:
        """Close the connection; a statement that continues is not affected."""


class DatabaseServer(Protocol):
    """The writer of a database, which is read and changed.

    Every method raises DatabaseUnreachable where the server does not respond.
    """

    def look(self, schema: str, table: str, index: str, job: Job) -> State | None:
        """Return the state of the index, or of the table if `index` is empty; None if it does not exist."""

    def conditions(self, state: State) -> Conditions:
        """Return the circumstances on the server and around the table."""

    def statement(self, job: Job, change: Change, state: State | None) -> str:
        """Return the SQL of a job, with names quoted for the server; raise StatementFailed if there is none."""

    def worker(self, lock_timeout_ms: int) -> Worker:
        """Open a connection whose statements wait at most `lock_timeout_ms` for a lock."""

    def running(self, session: Mapping[str, Any]) -> StatementProgress | None:
        """Return the progress of the session's statement; None if the session is idle or has ended."""

    def cancel(self, session: Mapping[str, Any]) -> None:
        """Cancel the session's statement if it is still running."""

    def leftovers(self, state: State, job: Job) -> Sequence[State]:
        """List the invalid indexes of the table that an interrupted build of this index would leave."""

    def remove(self, leftover: State, lock_timeout_ms: int) -> None:
        """Drop a leftover if it is still the same index; raise LockTimeout if other sessions prevent it."""

    def times(self, state: State) -> Mapping[str, StatementTimes] | None:
        """Return the statements that name the table, by a stable key; None where the server does not count them."""

    def missed(self, state: State, max_slowdown: float) -> str:
        """Name the statement that would cost more without the index, as the planner estimates.

        Return an empty string if no statement would, or if the server cannot tell.
        """


@dataclass(frozen=True, slots=True)
class Machine:
    """The load and storage of the machine that the database runs on; None means unknown, for the reason `problem`.

    name: its identifier in CloudWatch; empty if neither the policy nor the host name says that it belongs to RDS.
    cpu_percent: the mean of the last minutes.
    free_bytes: the latest value.
    """

    name: str = ""
    cpu_percent: float | None = None
    free_bytes: float | None = None
    problem: str = ""
