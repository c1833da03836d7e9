"""Read the catalog and statistics of one database of PostgreSQL 13 to 18; change nothing.

The driver is pg8000: small, pure Python for every processor, and `native.Connection` is in autocommit, which concurrent
builds need. The role pg_monitor (or pg_read_all_stats) shows the statements of other users, and SELECT on a table shows
the planner's statistics on it; without them the catalog says what could not be read.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from pg8000.exceptions import DatabaseError

from optimizer.core import OptimizerError
from optimizer.indexes.connect import search_path
from optimizer.indexes.model import BuildInProgress, Catalog, CatalogServer, Column, Engine, ForeignKey, Index, Table
from optimizer.indexes.model.catalog import StatementStat
from optimizer.indexes.postgresql import index_sql, sql, table_sql
from optimizer.indexes.postgresql.index_rows import to_index

_REFERENTIAL_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_KINDS = {"r": "table", "p": "partitioned", "m": "materialized_view", "f": "foreign"}
_OLDEST = 130000
# Catalog functions such as pg_get_indexdef see later changes than the snapshot, so they fail if a relation was dropped
# meanwhile: "could not open relation with OID", or an object that does not exist.
_MOVED = ("XX000", "42P01", "42704")
_SQLSTATE = re.compile("[0-9A-Z]{5}")


class PostgresqlTooOld(OptimizerError, ValueError):
    """The server is older than PostgreSQL 13."""


class Queries(Protocol):
    """A connection in autocommit that runs one statement; pg8000.native.Connection is one."""

    def run(self, sql: str, **values: Any) -> Sequence[Sequence[Any]] | None:
        """Run a statement with `:name` for values and return its rows."""
        ...


def read_catalog(
    connection: Queries, *, node: str | None = None, statement_timeout_s: int = 60, most_statements: int = 500
) -> Catalog:
    """Return the catalog of the database that the connection is to.

    `node` names the server; its address is used if None. Raise PostgresqlTooOld, and pg8000's DatabaseError if the
    catalog itself cannot be read.
    """
    not_read: dict[str, str] = {}
    try:
        structure = _read_structure(connection, statement_timeout_s)
    except DatabaseError as error:
        if _code(error) not in _MOVED:
            raise
        structure = _read_structure(connection, statement_timeout_s)
    facts, tables, indexes, foreign_keys, locked = structure
    if locked:
        not_read["tables"] = f"locked exclusively by another session: {', '.join(sorted(locked.values()))}"
    server = _server(facts, node)

    def optional[T](name: str, read: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
        try:
            with read_only_snapshot(connection, statement_timeout_s):
                return read()
        except DatabaseError as error:
            not_read[name] = message(error)
            return ()

    builds = optional("builds", lambda: tuple(BuildInProgress(**row) for row in _rows(connection, sql.BUILDS)))
    statements = ()
    if "pg_stat_statements" not in server.extensions:
        not_read["statements"] = "the extension pg_stat_statements is not installed in this database"
    else:

        def read_statements() -> tuple[Any, ...]:
            schema = extension_schema(connection, "pg_stat_statements")
            found = _rows(connection, sql.STATEMENTS.format(schema=schema), most=most_statements)
            # JSON holds an oid as text.
            roles = read_roles(connection, {int(row["userid"]) for row in found})
            return tuple(to_statement(row, roles.get(int(row["userid"]))) for row in found)

        statements = optional("statements", read_statements)
    if tables and not any(column.null_fraction is not None for table in tables for column in table.columns):
        not_read["column_statistics"] = "no table was analysed, or the role may not read the tables"
    return Catalog(server, tables, indexes, foreign_keys, builds, statements, not_read=not_read)


def _read_structure(
    connection: Queries, statement_timeout_s: int
) -> tuple[Mapping[str, Any], tuple[Table, ...], tuple[Index, ...], tuple[ForeignKey, ...], dict[int, str]]:
    """Return the facts about the server, the tables, indexes and foreign keys, and locked tables by oid."""
    with read_only_snapshot(connection, statement_timeout_s):
        facts = _rows(connection, sql.SERVER)[0]
        if facts["version_number"] < _OLDEST:
            raise PostgresqlTooOld(
                f"PostgreSQL {facts['version_number'] // 10000} is not supported: 13 or later is needed"
            )
        default_differs = facts["has_database_collation_version"] and _scalar(
            connection, sql.DATABASE_COLLATION_DIFFERS
        )
        locked = {row["oid"]: row["name"] for row in _rows(connection, table_sql.LOCKED)}
        tables = tuple(_table(row) for row in _rows(connection, table_sql.TABLES, locked=list(locked)))
        rows = {table.oid: table.rows for table in tables}
        indexes = tuple(
            to_index(row, rows.get(row["table_oid"]), database_collation_differs=bool(default_differs))
            for row in _rows(connection, index_sql.INDEXES, locked=list(locked))
            if row["definition"] is not None
        )
        keys = (_foreign_key(row) for row in _rows(connection, table_sql.FOREIGN_KEYS))
        foreign_keys = tuple(key for key in keys if key.table_oid not in locked)
    return facts, tables, indexes, foreign_keys, locked


def message(error: DatabaseError) -> str:
    """Return the server's message with its code."""
    fields = error.args[0] if error.args else None
    return f"{fields.get('M')} ({fields.get('C')})" if isinstance(fields, dict) else str(error)


def sqlstate(error: DatabaseError) -> str:
    """Return the code alone: the message may be written by a function in somebody's statement."""
    code = _code(error)
    return f"SQLSTATE {code}" if _SQLSTATE.fullmatch(code) else "no SQLSTATE"


def _code(error: DatabaseError) -> str:
    fields = error.args[0] if error.args else None
    return str(fields.get("C")) if isinstance(fields, dict) else ""


@contextmanager
def read_only_snapshot(connection: Queries, statement_timeout_s: int) -> Iterator[None]:
    """Open a read-only snapshot with short waits and only pg_catalog in the search path.

    With this path the server prints every other name with its schema.
    """
    connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        connection.run(search_path.CLOSE_IN_TRANSACTION)
        settings = {
            "lock_timeout": "3s",
            "statement_timeout": f"{statement_timeout_s}s",
            "idle_in_transaction_session_timeout": "60s",
        }
        for name, value in settings.items():
            connection.run("SELECT pg_catalog.set_config(:name, :value, true)", name=name, value=value)
        yield
    finally:
        connection.run("ROLLBACK")


def read_roles(connection: Queries, oids: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    """Return, by oid, the name of each role, its search path, and whether this session may plan its statements.

    It must run in `read_only_snapshot`. A role that no longer exists is left out.
    """
    return {row["oid"]: row for row in _rows(connection, sql.ROLES, roles=sorted(oids))}


def extension_schema(connection: Queries, extension: str) -> str:
    """Return the schema of an extension, quoted by the server, or "" if it is not installed in this database."""
    rows = connection.run(sql.EXTENSION_SCHEMA, extension=extension)
    return str(rows[0][0]) if rows else ""


def _rows(connection: Queries, text: str, **parameters: Any) -> list[dict[str, Any]]:
    return [row[0] for row in connection.run(text, **parameters) or []]


def _scalar(connection: Queries, text: str) -> Any:
    rows = connection.run(text)
    return rows[0][0] if rows else None


def parse_time(text: str | None) -> datetime | None:
    """Return a time from the text that the server writes into JSON."""
    return None if text is None else datetime.fromisoformat(text)


def _server(facts: Mapping[str, Any], node: str | None) -> CatalogServer:
    number = facts["version_number"]
    read_at = parse_time(facts["read_at"])
    assert read_at is not None  # noqa: S101  now() is never NULL
    return CatalogServer(
        engine=Engine.POSTGRESQL,
        version=(number // 10000, number % 10000),
        database=facts["database"],
        node=node or facts["address"],
        read_at=read_at,
        is_replica=facts["is_replica"],
        is_aurora=facts["is_aurora"],
        started_at=parse_time(facts["started_at"]),
        counted_since=parse_time(facts["counted_since"]),
        block_bytes=facts["block_bytes"],
        extensions=facts["extensions"] or {},
        settings=facts["settings"] or {},
        replicas=facts["replicas"],
    )


def _table(row: dict[str, Any]) -> Table:
    known = None if row["rows"] is None or row["rows"] < 0 else float(row["rows"])
    columns = tuple(
        Column(**{**column, "distinct": distinct_values(column["distinct"], known)}) for column in row["columns"] or []
    )
    toast = {f"toast.{name}": value for name, value in parse_options(row["toast_options"]).items()}
    fields = {name: value for name, value in row.items() if name != "toast_options"}
    return Table(
        **{
            **fields,
            "kind": _KINDS[row["kind"]],
            "rows": known,
            "last_analyze_at": parse_time(row["last_analyze_at"]),
            "columns": columns,
            "options": {**parse_options(row["options"]), **toast},
        }
    )


def distinct_values(n_distinct: float | None, rows: float | None) -> float | None:
    """Return pg_stats.n_distinct as a number of values; a negative one is a share of the rows."""
    if n_distinct is None or (n_distinct < 0 and rows is None):
        return None
    return n_distinct if n_distinct >= 0 else -n_distinct * (rows or 0.0)


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """Return storage parameters, each `name=value`, as a mapping."""
    return dict(text.split("=", 1) for text in texts)


def _foreign_key(row: dict[str, Any]) -> ForeignKey:
    rules = {name: _REFERENTIAL_ACTIONS[row[name]] for name in ("on_delete", "on_update")}
    return ForeignKey(
        **{**row, **rules, "columns": tuple(row["columns"]), "parent_columns": tuple(row["parent_columns"])}
    )


_HIDDEN = "<insufficient privilege>"


def to_statement(row: Mapping[str, Any], role: Mapping[str, Any] | None) -> StatementStat:
    """Return the statement in a row, which a role of `read_roles` ran (None if it no longer exists).

    The time is total_time in version 1.7 of the extension and earlier.
    """
    text = row["query"]
    return StatementStat(
        key=f"{row['userid']}/{row['dbid']}/{row.get('toplevel', True)}/{row['queryid']}",
        text=None if text == _HIDDEN else text,
        calls=row["calls"],
        total_ms=_first(row, "total_exec_time", "total_time"),
        mean_ms=_first(row, "mean_exec_time", "mean_time"),
        rows=row["rows"],
        role=role["name"] if role else None,
        is_trusted=bool(role and role["is_trusted"]),
        search_path=role["search_path"] if role else None,
        is_path_known=bool(role and role["is_path_known"]),
    )


def _first(row: Mapping[str, Any], *names: str) -> float:
    return float(next(row[name] for name in names if name in row))
