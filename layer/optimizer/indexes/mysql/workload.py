"""Reads the workload of MySQL and MariaDB: statements counted by digest, and stored code."""

import re
from collections.abc import Mapping
from typing import Any

from optimizer.indexes.model.catalog import StatementStat, StoredCode
from optimizer.indexes.mysql.session import Session

_DIGESTS = """
SELECT *
FROM performance_schema.events_statements_summary_by_digest
WHERE digest IS NOT NULL
  AND
"""
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
    rows = [row for row in session.scoped(_DIGESTS, "schema_name") if _reads_rows(str(row["digest_text"]))]
    rows.sort(key=lambda row: int(row["sum_timer_wait"]), reverse=True)
    others = [row for row in rows[most:] if _NAMES_INDEX_OR_ORDER.search(str(row["digest_text"]))]
    return tuple(_statement(row) for row in [*rows[:most], *others])


def _reads_rows(text: str) -> bool:
    return text.lstrip("( ").upper().startswith(_READS_ROWS)


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
        text=row["digest_text"],
        calls=calls,
        total_ms=total_ms,
        mean_ms=total_ms / calls if calls else 0.0,
        rows=int(row["sum_rows_sent"]) + int(row["sum_rows_affected"]),
        rows_examined=int(row["sum_rows_examined"]),
        schema=row["schema_name"],
    )


def read_stored_code(session: Session) -> tuple[StoredCode, ...]:
    """Read the views, routines, triggers and events that mention an index, as far as the role may see them."""
    found: list[StoredCode] = []
    for kind, table, schema, name, text in _CODE:
        mentions = f"({text} LIKE '%%INDEX%%' OR {text} LIKE '%%KEY%%')"
        query = f"SELECT {schema} AS s, {name} AS n, {text} AS t FROM information_schema.{table} WHERE {mentions} AND"  # noqa: S608
        found += [StoredCode(kind, row["s"], row["n"], row["t"]) for row in session.scoped(query, schema)]
    return tuple(found)
