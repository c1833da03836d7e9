"""Reads and changes indexes of PostgreSQL 13 and later."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optimizer.core import Change
from optimizer.indexes.change import postgresql_sql as sql
from optimizer.indexes.change.engine_server import NO_DEFINITION, EngineServer, definition_to_create, explain_code
from optimizer.indexes.change.server import (
    Conditions,
    Job,
    LockTimeout,
    State,
    StatementFailed,
    StatementProgress,
    StatementTimes,
    Worker,
)
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import AccessDenied, Connection, DatabaseUnreachable
from optimizer.indexes.model import why_builds_are_faulty

# SQLSTATEs: lock not available, deadlock; query cancelled, admin shutdown; crash shutdown, cannot connect now.
_LOCK_TIMEOUTS = ("55P03", "40P01")
_CANCELLATIONS = ("57014", "57P01")
_SERVER_STOPPED = ("57P02", "57P03")
_LEFT_BY_REBUILD = re.compile(r"_cc(new|old)\d*$")
_LONGEST_LOOK_MS = 20_000


class PostgresqlServer(EngineServer):
    """An EngineServer for PostgreSQL."""

    # The condition that identifies a session, with the values of `_identity`.
    _is_session = sql.IS_PROCESS

    def __init__(
        self,
        reading: Callable[[], Connection],
        opening: Callable[[], Connection],
        prepare: str = f"SET statement_timeout = {_LONGEST_LOOK_MS}",
    ) -> None:
        super().__init__(reading, opening, explain, prepare)

    def look(self, schema: str, table: str, index: str, job: Job) -> State | None:
        """Return the state of the index, or of the table if `index` is empty."""
        if not index:
            found = self._rows(sql.LOOK_TABLE, schema=schema, table=table)
            return _table_state(found[0], job) if found else None
        found = self._rows(sql.LOOK_INDEX, schema=schema, table=table, index=index)
        return _index_state(found[0], job) if found else None

    def conditions(self, state: State) -> Conditions:
        """Read the open transactions, the lock queue, the lag of replicas and other commands on the table."""
        (oldest,) = self._rows(sql.OLDEST_TRANSACTION)
        (prepared,) = self._rows(sql.OLDEST_PREPARED)
        (waiters,) = self._rows(sql.LOCK_WAITERS)
        (active,) = self._rows(sql.ACTIVE_SESSIONS)
        (version,) = self._rows(sql.VERSION)
        busy = self._rows(sql.BUSY, table_oid=state.table_oid)
        seconds, holder = float(oldest["seconds"] or 0.0), str(oldest["holder"] or "")
        if prepared["seconds"] is not None and float(prepared["seconds"]) > seconds:
            seconds, holder = float(prepared["seconds"]), f"prepared transaction {prepared['gid']}"
        return Conditions(
            # A role that may not see all transactions cannot tell that there is no older one.
            transaction_s=seconds if seconds or oldest["sees_all"] else None,
            holder=holder,
            lock_waiters=int(waiters["waiters"]),
            replica_lag_s=self._replica_lag_s(),
            busy=str(busy[0]["busy"]) if busy else "",
            active_sessions=int(active["sessions"]) if active["sees_all"] else None,
            faulty_builds=why_builds_are_faulty(divmod(int(version["number"]), 10_000)),
        )

    def statement(self, job: Job, change: Change, state: State | None) -> str:
        """Return the SQL of a job; the server quotes the names by oid, and definitions are its own text."""
        if job is Job.CREATE:
            return concurrently(definition_to_create(change))
        if state is None:
            raise StatementFailed(f"{job.value} is impossible: the index or table does not exist")
        if job in (Job.ANALYZE, Job.VACUUM):
            return f"{job.value.upper()} {self._quoted(sql.QUOTED_TABLE, table_oid=state.table_oid)}"
        if job is Job.CLEAN_PENDING_LIST:
            return f"SELECT pg_catalog.gin_clean_pending_list({int(state.oid or 0)}::pg_catalog.regclass)"
        name = self._quoted(sql.QUOTED_INDEX, oid=state.oid, table_oid=state.table_oid)
        if job is Job.REBUILD:
            return f"REINDEX INDEX CONCURRENTLY {name}"
        if job is Job.DROP:
            return f"DROP INDEX CONCURRENTLY {name}"
        raise StatementFailed(f"PostgreSQL has no {job.value} for an index")

    def worker(self, lock_timeout_ms: int) -> Worker:
        """Open a connection in autocommit; only locks limit how long its statement may take."""
        settings = {
            "lock_timeout": str(lock_timeout_ms),
            "statement_timeout": "0",
            "idle_in_transaction_session_timeout": "0",
            # A notice to a client that no longer exists would end the statement.
            "client_min_messages": "error",
            # A build uses one process, because the users of the database have priority.
            "max_parallel_maintenance_workers": "0",
            # VACUUM and ANALYZE run at the pace of autovacuum, because a manual one makes no pauses by default.
            "vacuum_cost_delay": "2ms",
        }

        def prepare(connection: Connection) -> dict[str, Any]:
            for name, value in settings.items():
                self._ask(connection, "SELECT set_config(:name, :value, false)", name=name, value=value)
            self._ask(
                connection,
                "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'client_connection_check_interval'",
            )
            (may_set,) = self._ask(connection, sql.MAY_SET)
            allowed = sql.GRANTED if may_set["knows_grants"] else sql.IS_SUPERUSER
            self._ask(connection, sql.COMPRESS_LOG.format(allowed=allowed))
            (session,) = self._ask(connection, sql.SESSION)
            return {"pid": int(session["pid"]), "since": session["since"]}

        return self._open_worker(prepare)

    def running(self, session: Mapping[str, Any]) -> StatementProgress | None:
        """Return the progress of the session's statement; None if the session is idle or has ended."""
        found = self._rows(sql.RUNNING.format(is_session=self._is_session), **self._identity(session))
        if not found:
            return None
        share = found[0]["share"]
        return StatementProgress(
            seconds=float(found[0]["seconds"]),
            phase=str(found[0]["phase"] or ""),
            share=None if share is None else float(share),
        )

    def cancel(self, session: Mapping[str, Any]) -> None:
        """Cancel the statement, which ends at the next point where it can."""
        self._rows(sql.CANCEL.format(is_session=self._is_session), **self._identity(session))

    def leftovers(self, state: State, job: Job) -> Sequence[State]:
        """List the invalid indexes that the job may have left.

        After REINDEX these are twins named `..._ccnew` or `..._ccold`; their names may be cut to 63 bytes, so their
        shape decides. After CREATE or DROP it is the index itself, if it is invalid.
        """
        found = []
        for row in self._rows(sql.LEFTOVERS, table_oid=state.table_oid):
            left = self.look(row["schema"], row["table"], row["index"], Job.DROP)
            if left is None or left.is_valid:
                continue
            same_name = left.index == state.index
            twin = left.shape == state.shape and _LEFT_BY_REBUILD.search(left.index) is not None
            if twin if job is Job.REBUILD else same_name:
                found.append(left)
        return found

    def remove(self, leftover: State, lock_timeout_ms: int) -> None:
        """Drop the leftover concurrently, after a last check that it is the same index and still invalid."""
        live = self.look(leftover.schema, leftover.table, leftover.index, Job.DROP)
        if live is None or live.is_valid or (live.oid, live.shape) != (leftover.oid, leftover.shape):
            return
        worker = self.worker(lock_timeout_ms)
        try:
            name = self._quoted(sql.QUOTED_INDEX, oid=live.oid, table_oid=live.table_oid)
            statement = f"DROP INDEX CONCURRENTLY {name}"
            within_s = lock_timeout_ms / 1000 * 3 + 30
            if not worker.send(statement, within_s):
                self.cancel(worker.session(statement))
                raise LockTimeout(f"dropping {leftover.index} took longer than {within_s:.0f} s and was cancelled")
        finally:
            worker.close()

    def times(self, state: State) -> Mapping[str, StatementTimes] | None:
        """Read pg_stat_statements, where it is installed and may be read."""
        views = self._rows(sql.STATEMENT_VIEW)
        if not views:
            return None
        kind = "exec_time" if views[0]["has_exec_time"] else "time"
        columns = {"total": f"total_{kind}", "mean": f"mean_{kind}", "stddev": f"stddev_{kind}"}
        try:
            found = self._rows(sql.STATEMENTS.format(view=views[0]["name"], **columns), table=state.table)
        except StatementFailed:
            # The extension is installed, but not among shared_preload_libraries.
            return None
        return {
            row["key"]: StatementTimes(
                int(row["calls"]), float(row["total_ms"]), float(row["squares_ms2"]), str(row["text"])
            )
            for row in found
        }

    def missed(self, state: State, max_slowdown: float) -> str:
        """Compare the plans of the table's statements with and without the index, using HypoPG."""
        from optimizer.indexes.change.hypothetical import missed

        times = (self.times(state) or {}).items()
        texts = {key: one.text for key, one in sorted(times, key=lambda pair: -pair[1].total_ms)}
        return missed(self._reading(), state.oid or 0, texts, max_slowdown) if texts else ""

    def _identity(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """Identify the session by its process and its start, because process ids are reused."""
        return {"pid": int(session["pid"]), "since": str(session["since"])}

    def _replica_lag_s(self) -> float | None:
        aurora = self._rows(sql.IS_AURORA)
        (lag,) = self._rows(sql.REPLICA_LAG_AURORA if aurora[0]["is_aurora"] else sql.REPLICA_LAG)
        return None if lag["seconds"] is None else float(lag["seconds"])

    def _quoted(self, query: str, **values: Any) -> str:
        found = self._rows(query, **values)
        if not found:
            raise StatementFailed("the index or table of the change no longer exists")
        return str(found[0]["name"])


def concurrently(definition: str) -> str:
    """Return the statement of pg_get_indexdef with CONCURRENTLY, so that the table stays writable."""
    match = re.match(r"CREATE (UNIQUE )?INDEX (?:CONCURRENTLY )?", definition)
    if match is None:
        raise StatementFailed(NO_DEFINITION)
    return f"CREATE {match.group(1) or ''}INDEX CONCURRENTLY {definition[match.end() :]}"


def explain(error: BaseException) -> Exception:
    """Translate an error of the driver into what it means for a change."""
    if isinstance(error, AccessDenied):
        return error
    code = drivers.error_code(error)
    text = str(error.args[0].get("M")) if error.args and isinstance(error.args[0], dict) else str(error)
    if code is None or code in _SERVER_STOPPED:
        return DatabaseUnreachable(f"the connection broke: {text}")
    return explain_code(code, _LOCK_TIMEOUTS, _CANCELLATIONS) or StatementFailed(f"{text} ({code})")


def _index_state(row: Mapping[str, Any], job: Job) -> State:
    definition, quoted = str(row["definition"]), str(row["quoted"])
    return State(
        schema=row["schema"],
        table=row["table"],
        index=row["index"],
        size_bytes=int(row["size_bytes"]),
        mark=f"{row['oid']}/{row['file_node']}",
        definition=definition,
        shape=definition.replace(f"{quoted} ON ", "ON ", 1),
        oid=int(row["oid"]),
        table_oid=int(row["table_oid"]),
        is_valid=bool(row["is_valid"]),
        is_special=bool(row["is_unique"] or row["is_partial"] or row["has_expressions"]),
        protected=_protected(row, job),
        scans=None if row["scans"] is None else int(row["scans"]),
    )


def _table_state(row: Mapping[str, Any], job: Job) -> State:
    return State(
        schema=row["schema"],
        table=row["table"],
        index="",
        size_bytes=int(row["size_bytes"]),
        mark=str(row["vacuumed"] if job is Job.VACUUM else row["analyzed"]),
        table_oid=int(row["table_oid"]),
        protected="it belongs to the system" if row["is_system"] else "",
    )


# The reasons why an index is protected from every job, from a rebuild, and from a drop. A rebuild keeps what a
# constraint needs.
_ALWAYS = {
    "is_system": "it belongs to the system",
    "of_extension": "it belongs to an extension",
    "is_partitioned": "it is the parent of the indexes of partitions",
}
_OF_REBUILD = {"is_exclusion": "it is an exclusion constraint, which cannot be rebuilt while it is used"}
_OF_DROP = {
    "has_constraint": "it is a constraint",
    "is_exclusion": "it is an exclusion constraint",
    "is_replica_identity": "it is the replica identity of its table",
    "is_clustered": "its table is clustered by it",
    "is_referenced": "a foreign key points at it",
    "is_partition": "it is a part of a partitioned index",
    "alone_for_foreign_key": "it alone serves a foreign key",
}


def _protected(row: Mapping[str, Any], job: Job) -> str:
    reasons = dict(_ALWAYS)
    if job is Job.REBUILD:
        reasons |= _OF_REBUILD
    if job is Job.DROP and row["is_valid"]:
        reasons |= _OF_DROP
    return next((reason for flag, reason in reasons.items() if row[flag]), "")
