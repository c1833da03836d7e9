"""pg_stat_statements, whose columns changed their names over the versions, as StatementStat."""

from collections.abc import Mapping
from typing import Any

from optimizer.indexes.model.workload import StatementStat

_HIDDEN = "<insufficient privilege>"


def to_statement(row: Mapping[str, Any]) -> StatementStat:
    """A row of the view, as the server has it: total_time until 12, total_exec_time from 13."""
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
