"""Reads and changes indexes of MySQL 8 and later and MariaDB 10.6 and later."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optimizer.core import Change
from optimizer.indexes.change import mysql_sql as sql
from optimizer.indexes.change.engine_server import NO_DEFINITION, EngineServer, definition_to_create, explain_code
from optimizer.indexes.change.server import (
    Conditions,
    Job,
    State,
    StatementFailed,
    StatementProgress,
    StatementTimes,
    Worker,
)
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import Connection, DatabaseUnreachable
from optimizer.indexes.mysql.create_table import SYSTEM_SCHEMAS, UnreadableDefinition, quoted, read_index_clauses

# Error numbers: lock wait timeout, deadlock, NOWAIT; query interrupted, execution time exceeded (MySQL, MariaDB).
_LOCK_TIMEOUTS = (1205, 1213, 3572)
_CANCELLATIONS = (1317, 3024, 1969)
# Server shutdown, connection killed, server has gone away, connection lost (2013 and 2055).
_CONNECTION_LOST = (1053, 1927, 2006, 2013, 2055)
_PRIMARY = "PRIMARY"
_PICOSECONDS_A_MS = 1e9
_CREATES = re.compile(r"CREATE (UNIQUE |FULLTEXT |SPATIAL )?INDEX ", re.IGNORECASE)
_NO_COPY = "ALGORITHM=INPLACE, LOCK=NONE"


class MysqlServer(EngineServer):
    """An EngineServer for MySQL, or for MariaDB if `mariadb` is true."""

    def __init__(self, reading: Callable[[], Connection], opening: Callable[[], Connection], *, mariadb: bool) -> None:
        # In these modes the server prints definitions as they are read. MySQL caches sizes for a day by default.
        prepare = "SET SESSION sql_mode = '', sql_quote_show_create = 1"
        prepare += "" if mariadb else ", information_schema_stats_expiry = 0"
        super().__init__(reading, opening, explain, prepare)
        self._mariadb = mariadb

    def look(self, schema: str, table: str, index: str, job: Job) -> State | None:
        """Return the state of the index, as SHOW CREATE TABLE prints it, or of the table if `index` is empty."""
        found = self._rows(sql.TABLE, schema=schema, table=table)
        if not found:
            return None
        row = found[0]
        analyzed = (
            self._if_allowed(sql.ANALYZED, "analyzed", schema=schema, table=table) if job is Job.ANALYZE else None
        )
        mark = str(row["made"] if analyzed is None else analyzed)
        size_bytes = int(row["data_length"] or 0) + int(row["index_length"] or 0)
        system = "it belongs to the system" if schema in SYSTEM_SCHEMAS else ""
        if not index:
            return State(schema, table, "", size_bytes, mark, protected=system)
        line = self._key(schema, table, index)
        if line is None:
            return None
        kind, shape, is_visible = line
        facts = self._rows(sql.INDEX, schema=schema, table=table, index=index)[0]
        return State(
            schema=schema,
            table=table,
            index=index,
            size_bytes=int(
                self._if_allowed(sql.INDEX_BYTES, "size_bytes", schema=schema, table=table, index=index)
                or row["index_length"]
                or 0
            ),
            mark=f"{shape}/{is_visible}",
            definition=f"{kind}INDEX {quoted(index)} {shape}",
            shape=f"{kind}{shape}",
            is_visible=is_visible,
            is_special=bool(kind) or "(`" not in shape,
            protected=system or (self._protected(schema, table, index, facts) if job in (Job.DROP, Job.HIDE) else ""),
            scans=None if facts["scans"] is None else int(facts["scans"]),
        )

    def conditions(self, state: State) -> Conditions:
        """Read the open transactions, the lock queue and other changes of the table; the lag of replicas is unknown."""
        try:
            oldest = self._rows(sql.OLDEST_TRANSACTION)[0]
        except StatementFailed:
            # The role has no PROCESS privilege.
            oldest = {"seconds": None, "holder": ""}
        waiters = self._rows(sql.LOCK_WAITERS)[0]
        busy = self._rows(sql.BUSY, table=f"%{state.table}%")
        active = self._rows(sql.ACTIVE_SESSIONS)
        return Conditions(
            transaction_s=None if oldest["seconds"] is None else float(oldest["seconds"]),
            holder=str(oldest["holder"] or ""),
            lock_waiters=int(waiters["waiters"]),
            busy=f"another change of the table is running (connection {busy[0]['id']})" if busy else "",
            active_sessions=int(active[0]["Value"]) - 1 if active else None,
        )

    def statement(self, job: Job, change: Change, state: State | None) -> str:
        """Return the SQL of a job; the server rejects what would copy the table or block writes."""
        table = f"{quoted(change.before['schema'])}.{quoted(change.before['table'])}"
        if job is Job.CREATE:
            return self._create(table, definition_to_create(change))
        if state is None:
            raise StatementFailed(f"{job.value} is impossible: the index or table does not exist")
        index = quoted(state.index)
        if job is Job.ANALYZE:
            return f"ANALYZE TABLE {table}"
        if job is Job.OPTIMIZE:
            return f"ALTER TABLE {table} ENGINE=InnoDB, {_NO_COPY}"
        if job is Job.DROP:
            return f"ALTER TABLE {table} DROP INDEX {index}, {_NO_COPY}"
        if job is Job.HIDE:
            return f"ALTER TABLE {table} ALTER INDEX {index} {'IGNORED' if self._mariadb else 'INVISIBLE'}"
        if job is Job.SHOW:
            return f"ALTER TABLE {table} ALTER INDEX {index} {'NOT IGNORED' if self._mariadb else 'VISIBLE'}"
        raise StatementFailed(f"{'MariaDB' if self._mariadb else 'MySQL'} has no {job.value}")

    def worker(self, lock_timeout_ms: int) -> Worker:
        """Open a connection whose statements wait for a metadata lock in whole seconds, at least one."""
        seconds = max(1, round(lock_timeout_ms / 1000))

        def prepare(connection: Connection) -> dict[str, Any]:
            # Quotes and escapes are read as they were printed, and no key is cut to a length that fits.
            self._ask(connection, "SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
            self._ask(connection, "SET SESSION lock_wait_timeout = %(seconds)s", seconds=seconds)
            self._ask(connection, "SET SESSION innodb_lock_wait_timeout = %(seconds)s", seconds=seconds)
            (session,) = self._ask(connection, sql.SESSION)
            booted = int(session["now"]) - int(self._ask(connection, sql.UPTIME)[0]["Value"])
            return {"pid": int(session["id"]), "since": booted}

        return self._open_worker(prepare)

    def running(self, session: Mapping[str, Any]) -> StatementProgress | None:
        """Return the progress of the session's statement; None if the session is idle or has ended.

        A session is identified by its connection id and the start of the server, which restarts the numbering.
        """
        booted = int(self._rows(sql.SESSION)[0]["now"]) - int(self._rows(sql.UPTIME)[0]["Value"])
        # Both start times are differences of two clocks in whole seconds.
        if abs(booted - int(session["since"])) > 2:
            return None
        found = self._rows(sql.RUNNING, id=int(session["pid"]))
        return StatementProgress(float(found[0]["seconds"] or 0), str(found[0]["phase"] or "")) if found else None

    def cancel(self, session: Mapping[str, Any]) -> None:
        """Cancel the statement, but keep the connection."""
        if self.running(session) is not None:
            self._rows(f"KILL QUERY {int(session['pid'])}")

    def leftovers(self, _state: State, _job: Job) -> Sequence[State]:
        """Return nothing: DDL is atomic, so the server itself removes what an interrupted ALTER has built."""
        return ()

    def remove(self, leftover: State, lock_timeout_ms: int) -> None:
        """Raise StatementFailed, because MySQL and MariaDB leave nothing."""
        raise StatementFailed(f"{leftover.index} is not a leftover; nothing was done within {lock_timeout_ms} ms")

    def times(self, state: State) -> Mapping[str, StatementTimes] | None:
        """Read the statement digests of performance_schema, which MariaDB switches off by default."""
        if int(self._rows("SELECT @@performance_schema AS is_on")[0]["is_on"]) == 0:
            return None
        try:
            found = self._rows(sql.STATEMENTS, schema=state.schema, table=f"%`{state.table}`%")
        except StatementFailed:
            return None
        return {
            row["digest"]: StatementTimes(
                int(row["calls"]), float(row["timer"]) / _PICOSECONDS_A_MS, text=str(row["text"])
            )
            for row in found
        }

    def missed(self, _state: State, _max_slowdown: float) -> str:
        """Return an empty string: here the index itself is hidden during the observation."""
        return ""

    def _create(self, table: str, definition: str) -> str:
        created = _CREATES.match(definition)
        if created is not None:
            return f"{definition.rstrip('; ')} ALGORITHM=INPLACE LOCK=NONE"
        if re.match(r"(UNIQUE |FULLTEXT |SPATIAL |VECTOR )?INDEX `", definition) is None:
            raise StatementFailed(NO_DEFINITION)
        return f"ALTER TABLE {table} ADD {definition}, {_NO_COPY}"

    def _key(self, schema: str, table: str, index: str) -> tuple[str, str, bool] | None:
        """Return (kind with a trailing space, keys and options as the server prints them, is visible to queries)."""
        shown = self._rows(f"SHOW CREATE TABLE {quoted(schema)}.{quoted(table)}")[0]
        try:
            clause = read_index_clauses(str(shown.get("Create Table", ""))).get(index)
        except UnreadableDefinition as unreadable:
            raise StatementFailed(f"{schema}.{table}: {unreadable}") from unreadable
        if clause is None:
            return None
        return f"{clause.kind} " if clause.kind else "", clause.shape, clause.is_visible

    def _protected(self, schema: str, table: str, index: str, facts: Mapping[str, Any]) -> str:
        if index == _PRIMARY:
            return "it is the primary key"
        if not facts["non_unique"]:
            return "it is unique and protects the data"
        keys = [row["name"] for row in self._rows(sql.COLUMNS, schema=schema, table=table, index=index)]
        others = self._rows(sql.OTHER_INDEXES, schema=schema, table=table, index=index)
        for row in self._rows(sql.FOREIGN_KEYS, schema=schema, table=table):
            columns = str(row["columns"]).split(sql.SEPARATOR)
            served = any(str(other["columns"]).split(sql.SEPARATOR)[: len(columns)] == columns for other in others)
            if keys[: len(columns)] == columns and not served:
                return f"it alone serves the foreign key {row['name']}"
        return ""

    def _if_allowed(self, query: str, column: str, **values: Any) -> Any:
        """Return the value of `column`, or None where the role may not read it."""
        try:
            return self._rows(query, **values)[0][column]
        except StatementFailed:
            return None


def explain(error: BaseException) -> Exception:
    """Translate an error of the driver into what it means for a change."""
    code = drivers.error_code(error)
    known = explain_code(code, _LOCK_TIMEOUTS, _CANCELLATIONS)
    if known is None and (code is None or code in _CONNECTION_LOST or isinstance(error, OSError)):
        return DatabaseUnreachable(f"the connection broke: {error}")
    return known or StatementFailed(f"{error}")
