"""Reads the workload of MySQL and MariaDB: statements counted by digest, prepared statements, and stored code."""

import re
from collections.abc import Mapping
from typing import Any

from optimizer.indexes.model.catalog import Engine, StatementStat, StoredCode
from optimizer.indexes.mysql.session import Session

_DIGESTS = """
SELECT *
FROM performance_schema.events_statements_summary_by_digest
WHERE digest IS NOT NULL
  AND
"""
_PREPARED = """
SELECT DISTINCT owner_object_schema AS schema_name, sql_text
FROM performance_schema.prepared_statements_instances
"""
# How MySQL begins the digest of a statement that a client prepared on the server.
_PREPARED_DIGEST = re.compile(r"^(?:PREPARE|EXECUTE)\s+(?=[(A-Z])")
_PICOSECONDS_A_MS = 1e9
_READS_ROWS = ("SELECT", "UPDATE", "DELETE", "INSERT", "REPLACE", "WITH", "CALL", "TABLE")
_NAMES_INDEX_OR_ORDER = re.compile(r"\b(?:INDEX|KEY|ORDER BY)\b|/\*\+", re.IGNORECASE)
_CODE = (
    ("view", "views", "table_schema", "table_name", "view_definition"),
    ("routine", "routines", "routine_schema", "routine_name", "routine_definition"),
    ("trigger", "triggers", "trigger_schema", "trigger_name", "action_statement"),
    ("event", "events", "event_schema", "event_name", "event_definition"),
)


def read_statements(session: Session, most: int) -> tuple[StatementStat, ...]:
    """Read the statements that read or write rows.

    These are the `most` statements with the highest total time, and all others whose text may contain an index hint
    or depend on an order.
    """
    rows = [row for row in session.scoped(_DIGESTS, "schema_name") if _reads_rows(_text(row))]
    rows.sort(key=lambda row: int(row["sum_timer_wait"]), reverse=True)
    others = [row for row in rows[most:] if _NAMES_INDEX_OR_ORDER.search(_text(row))]
    return tuple(_statement(row) for row in [*rows[:most], *others])


def _reads_rows(text: str) -> bool:
    return text.lstrip("( ").upper().startswith(_READS_ROWS)


def _text(digest: Mapping[str, Any]) -> str:
    return _PREPARED_DIGEST.sub("", str(digest["digest_text"]))


def read_prepared_statements(session: Session) -> tuple[StoredCode, ...]:
    """Read the texts of the statements that are prepared on the server now, in any database."""
    return tuple(
        StoredCode("prepared statement", row["schema_name"] or "", str(row["sql_text"])[:80], str(row["sql_text"]))
        for row in session.rows(_PREPARED)
        if _reads_rows(str(row["sql_text"]))
    )


def why_prepared_unknown(session: Session, status: Mapping[str, str]) -> str:
    """Return why statements that clients prepare on the server are not known; empty if they are.

    MySQL counts them by digest. MariaDB does not, and shows only those that are still prepared.
    """
    executed = int(status.get("com_stmt_execute", 0)) + int(status.get("com_execute_sql", 0))
    if session.engine is Engine.MYSQL or not executed:
        return ""
    return (
        f"{executed:,} executions of statements that clients prepared on the server: MariaDB keeps the text of a "
        "prepared statement only until it is closed"
    )


def has_all_statements(session: Session) -> bool:
    """Return True if every statement since the start has its own row.

    A table that is full counts all other statements in a row without a digest.
    """
    rows = session.rows(
        """
        SELECT SUM(count_star) AS rest
        FROM performance_schema.events_statements_summary_by_digest
        WHERE digest IS NULL
        """
    )
    return not rows[0]["rest"]


def _statement(row: Mapping[str, Any]) -> StatementStat:
    calls = int(row["count_star"])
    total_ms = int(row["sum_timer_wait"]) / _PICOSECONDS_A_MS
    return StatementStat(
        key=f"{row['schema_name']}:{row['digest']}",
        text=_text(row),
        calls=calls,
        total_ms=total_ms,
        mean_ms=total_ms / calls if calls else 0.0,
        rows=int(row["sum_rows_sent"]) + int(row["sum_rows_affected"]),
        rows_examined=int(row["sum_rows_examined"]),
        schema=row["schema_name"],
    )


def read_stored_code(session: Session) -> tuple[StoredCode, ...]:
    """Read the views, routines, triggers and events that may depend on an index, as far as the role may see them."""
    found: list[StoredCode] = []
    for kind, table, schema, name, text in _CODE:
        # The columns with code have a binary collation on MySQL.
        mentions = " OR ".join(f"UPPER({text}) LIKE '%%{word}%%'" for word in ("INDEX", "KEY", "SELECT"))
        query = f"SELECT {schema} AS s, {name} AS n, {text} AS t FROM information_schema.{table} WHERE ({mentions}) AND"  # noqa: S608
        found += [StoredCode(kind, row["s"], row["n"], row["t"]) for row in session.scoped(query, schema)]
    return tuple(found)


def why_routines_unknown(session: Session) -> str:
    """Return why the role may not see the code of all routines; empty if it may.

    Routines of others are left out of information_schema, or are there without their code, unless a right shows them
    (MySQL manual and MariaDB documentation, "SHOW CREATE PROCEDURE").
    """
    without_code = "SELECT COUNT(*) AS n FROM information_schema.routines WHERE routine_definition IS NULL AND"
    hidden = int(session.scoped(without_code, "routine_schema")[0]["n"])
    if hidden:
        return f"the role may not see the code of {hidden} routines"
    schemas = {session.database} if session.database else set()
    if any(_shows_routines(grant, schemas) for grant in session.grants()):
        return ""
    return "the role may see no routines but its own: grant it SHOW_ROUTINE, or SELECT on mysql.proc on MariaDB"


_GRANT = re.compile(r"^GRANT (?P<rights>.+?) ON (?:TABLE )?(?P<on>\S+) TO ", re.IGNORECASE)
_SHOWING = {"ALL PRIVILEGES", "SHOW_ROUTINE", "SHOW CREATE ROUTINE"}


def _shows_routines(grant: str, schemas: set[str]) -> bool:
    found = _GRANT.match(grant)
    if found is None:
        return False
    rights = {right.strip().upper() for right in found["rights"].split(",")}
    on = found["on"].replace("`", "")
    if on in ("mysql.proc", "mysql.*"):
        return bool(rights & {"SELECT", "ALL PRIVILEGES"})
    if on == "*.*":
        return bool(rights & (_SHOWING | {"SELECT"}))
    return on.removesuffix(".*") in schemas and "SHOW CREATE ROUTINE" in rights
