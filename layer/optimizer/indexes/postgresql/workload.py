"""Convert rows of pg_stat_statements, whose columns have other names in older versions."""

from collections.abc import Mapping
from typing import Any

from optimizer.indexes.model.workload import StatementStat

_HIDDEN = "<insufficient privilege>"


def to_statement(row: Mapping[str, Any]) -> StatementStat:
    """Return the statement in a row; the time is total_time in version 1.7 of the extension and earlier."""
    text = row["query"]
    return StatementStat(
        key=f"{row['userid']}/{row['dbid']}/{row.get('toplevel', True)}/{row['queryid']}",
        text=None if text == _HIDDEN else text,
        calls=row["calls"],
        total_ms=_first(row, "total_exec_time", "total_time"),
        mean_ms=_first(row, "mean_exec_time", "mean_time"),
        rows=row["rows"],
    )


def _first(row: Mapping[str, Any], *names: str) -> float:
    return float(next(row[name] for name in names if name in row))
