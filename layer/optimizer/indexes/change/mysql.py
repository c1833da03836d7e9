"""Acting on MySQL 8 and later and MariaDB 10.6 and later: what is there, what is going on, and the statements."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optimizer.core import Change
from optimizer.indexes.change import mysql_sql as sql
from optimizer.indexes.change.engine_server import EngineServer
from optimizer.indexes.change.server import (
    Cancelled,
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
from optimizer.indexes.connect.drivers import Connection, DatabaseUnreachable

# Lock wait timeout, deadlock, NOWAIT; query interrupted, execution time exceeded.
_LOCK = (1205, 1213, 3572)
_KILLED = (1317, 3024, 1969)
# Shutdown, gone away, lost, connection killed.
_GONE = (1053, 1927, 2006, 2013, 2055)
_KEY = re.compile(r"^(?:(UNIQUE|FULLTEXT|SPATIAL) )?KEY `((?:[^`]|``)*)` (.*)$")
_PRIMARY = "PRIMARY"
_HIDDEN = re.compile(r"\s*(?:/\*!80000 INVISIBLE \*/|\bIGNORED\b)")
_PICOSECONDS_A_MS = 1e9
_CREATES = re.compile(r"CREATE (UNIQUE |FULLTEXT |SPATIAL )?INDEX ", re.IGNORECASE)
_NO_COPY = "ALGORITHM=INPLACE, LOCK=NONE"


class MysqlServer(EngineServer):
    """`mariadb`: which of the two dialects. `reading` and `opening` as for PostgreSQL."""

    def __init__(self, reading: Callable[[], Connection], opening: Callable[[], Connection], *, mariadb: bool) -> None:
        # MySQL gives sizes and times of a day ago otherwise.
        fresh = "" if mariadb else "SET SESSION information_schema_stats_expiry = 0"
        super().__init__(reading, opening, explain, fresh)
        self._mariadb = mariadb

    def look(self, schema: str, table: str, index: str, job: Job) -> State | None:
        """The index, as SHOW CREATE TABLE writes it, or the table."""
        found = self._rows(sql.TABLE, schema=schema, table=table)
        if not found:
            return None
        row = found[0]
        analyzed = (
            self._if_allowed(sql.ANALYZED, "analyzed", schema=schema, table=table) if job is Job.ANALYZE else None
        )
        mark = str(row["made"] if analyzed is None else analyzed)
        size_bytes = int(row["data_length"] or 0) + int(row["index_length"] or 0)
        system = "it belongs to the system" if schema in sql.SYSTEM_SCHEMAS else ""
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
            definition=f"{kind}INDEX {_name(index)} {shape}",
            shape=f"{kind}{shape}",
            is_visible=is_visible,
            is_special=bool(kind) or "(`" not in shape,
            protected=system or (self._protected(schema, table, index, facts) if job in (Job.DROP, Job.HIDE) else ""),
            scans=None if facts["scans"] is None else int(facts["scans"]),
        )

    def conditions(self, state: State) -> Conditions:
        """Transactions, lock queue and other changes of the table. Replicas are asked by the planner."""
        try:
            oldest = self._rows(sql.OLDEST_TRANSACTION)[0]
        except StatementFailed:
            # Only with the PROCESS privilege.
            oldest = {"seconds": None, "holder": ""}
        waiters = self._rows(sql.LOCK_WAITERS)[0]
        busy = self._rows(sql.BUSY, table=f"%{state.table}%")
        active = self._rows(sql.ACTIVE_SESSIONS)
        return Conditions(
            transaction_s=None if oldest["seconds"] is None else float(oldest["seconds"]),
            holder=str(oldest["holder"] or ""),
            lock_waiters=int(waiters["waiters"]),
            busy=f"another change of it is running (connection {busy[0]['id']})" if busy else "",
            active_sessions=int(active[0]["Value"]) - 1 if active else None,
        )

    def statement(self, job: Job, change: Change, state: State | None) -> str:
        """The SQL of a job. What would copy the table or stop writes is refused by the server, not done."""
        table = f"{_name(change.before['schema'])}.{_name(change.before['table'])}"
        if job is Job.CREATE:
            return self._create(table, str(change.after.get("definition") or change.undo.get("definition") or ""))
        if state is None:
            raise StatementFailed(f"there is nothing to {job.value}")
        index = _name(state.index)
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
        """A connection whose statements wait whole seconds for a metadata lock, one at least."""
        seconds = max(1, round(lock_timeout_ms / 1000))

        def prepare(connection: Connection) -> dict[str, Any]:
            self._ask(connection, "SET SESSION lock_wait_timeout = %(seconds)s", seconds=seconds)
            self._ask(connection, "SET SESSION innodb_lock_wait_timeout = %(seconds)s", seconds=seconds)
            (session,) = self._ask(connection, sql.SESSION)
            booted = int(session["now"]) - int(self._ask(connection, sql.UPTIME)[0]["Value"])
            return {"pid": int(session["id"]), "since": booted}

        return self._open_worker(prepare)

    def running(self, session: Mapping[str, Any]) -> StatementProgress | None:
        """By connection and start of the server, which begins counting connections anew."""
        booted = int(self._rows(sql.SESSION)[0]["now"]) - int(self._rows(sql.UPTIME)[0]["Value"])
        # Both are the difference of two clocks in whole seconds.
        if abs(booted - int(session["since"])) > 2:
            return None
        found = self._rows(sql.RUNNING, id=int(session["pid"]))
        return StatementProgress(float(found[0]["seconds"] or 0), str(found[0]["phase"] or "")) if found else None

    def cancel(self, session: Mapping[str, Any]) -> None:
        """Ends the statement, not the connection."""
        if self.running(session) is not None:
            self._rows(f"KILL QUERY {int(session['pid'])}")

    def leftovers(self, _state: State, _job: Job) -> Sequence[State]:
        """None: DDL is atomic, the server itself removes what an interrupted ALTER has built."""
        return ()

    def remove(self, leftover: State, lock_timeout_ms: int) -> None:
        """Never called, because there are no leftovers."""
        raise StatementFailed(f"{leftover.index} is no leftover; within {lock_timeout_ms} ms nothing was done")

    def times(self, state: State) -> Mapping[str, StatementTimes] | None:
        """From the digests of performance_schema, which MariaDB has switched off by default."""
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
        """Nothing: here an index is hidden for real, and watched."""
        return ""

    def _create(self, table: str, definition: str) -> str:
        created = _CREATES.match(definition)
        if created is not None:
            return f"{definition.rstrip('; ')} ALGORITHM=INPLACE LOCK=NONE"
        if re.match(r"(UNIQUE |FULLTEXT |SPATIAL )?INDEX `", definition) is None:
            raise StatementFailed("there is no definition of an index to create")
        return f"ALTER TABLE {table} ADD {definition}, {_NO_COPY}"

    def _key(self, schema: str, table: str, index: str) -> tuple[str, str, bool] | None:
        """(kind with a space, the keys and options as the server writes them, whether queries may use it)."""
        shown = self._rows(f"SHOW CREATE TABLE {_name(schema)}.{_name(table)}")[0]
        for line in str(shown.get("Create Table", "")).splitlines():
            written = line.strip().removesuffix(",")
            if index == _PRIMARY and written.startswith("PRIMARY KEY "):
                return "PRIMARY ", written.removeprefix("PRIMARY KEY "), True
            match = _KEY.match(written)
            if match and match.group(2).replace("``", "`") == index:
                shape = _HIDDEN.sub("", match.group(3))
                return f"{match.group(1)} " if match.group(1) else "", shape, shape == match.group(3)
        return None

    def _protected(self, schema: str, table: str, index: str, facts: Mapping[str, Any]) -> str:
        if index == _PRIMARY:
            return "it is the primary key"
        if not facts["non_unique"]:
            return "it is unique, which is a rule of the data"
        keys = [row["name"] for row in self._rows(sql.COLUMNS, schema=schema, table=table, index=index)]
        others = self._rows(sql.OTHER_INDEXES, schema=schema, table=table, index=index)
        for row in self._rows(sql.FOREIGN_KEYS, schema=schema, table=table):
            columns = str(row["columns"]).split(sql.SEPARATOR)
            served = [o for o in others if str(o["columns"]).split(sql.SEPARATOR)[: len(columns)] == columns]
            if keys[: len(columns)] == columns and not served:
                return f"it alone serves the foreign key {row['name']}"
        return ""

    def _if_allowed(self, query: str, column: str, **values: Any) -> Any:
        """The value, or None where the role may not read it."""
        try:
            return self._rows(query, **values)[0][column]
        except StatementFailed:
            return None


def explain(error: BaseException) -> Exception:
    """What a driver's error means to the life of a change."""
    code = drivers.error_code(error)
    if code in _LOCK:
        return LockTimeout(f"no lock was got in time ({code})")
    if code in _KILLED:
        return Cancelled(f"the statement was cancelled ({code})")
    if code is None or code in _GONE or isinstance(error, OSError):
        return DatabaseUnreachable(f"the connection broke: {error}")
    return StatementFailed(f"{error}")


def _name(name: str) -> str:
    """Quoted as the servers do themselves."""
    return "`" + name.replace("`", "``") + "`"
