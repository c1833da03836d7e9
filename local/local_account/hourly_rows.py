"""Answer what Logs Insights answers to the query that adds up REPORT lines by the hour, from the lines themselves."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from optimizer.function_logs import LogSource, ReportLine, parse_rows

_SHARES = (0, 5, 25, 50, 75, 90, 95, 99, 100)
_INIT_SHARES = (0, 50, 95, 100)
type Row = list[dict[str, str]]


def hourly_rows(rows: Iterable[Row], source: LogSource) -> list[Row]:
    """Return a row for each hour, version, size and status of the lines, the newest hour first."""
    fields = [{one["field"]: one["value"] for one in row} for row in rows]
    found = parse_rows(
        (
            (datetime.fromisoformat(each["@timestamp"]).replace(tzinfo=UTC), each["@logStream"], each["@message"])
            for each in fields
        ),
        source,
    )
    groups: dict[tuple[str, str, int, str, bool], list[ReportLine]] = {}
    for line in found.lines:
        hour = line.at.replace(minute=0, second=0, microsecond=0).strftime("%Y-%m-%d %H:%M:%S.000")
        report = line.report
        full = report.max_memory_used_mb >= report.memory_mb
        groups.setdefault((hour, line.version, report.memory_mb, report.status, full), []).append(report)
    return [
        [{"field": name, "value": str(value)} for name, value in _row(key, calls).items()]
        for key, calls in sorted(groups.items(), reverse=True)
    ] + [
        _left_out(name, count)
        for name, count in (("malformed", found.malformed), ("impossible", found.impossible))
        if count
    ]


def query_id(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the answer to StartQuery, which tells `answered` what was asked for."""
    return {"queryId": "hours" if "| stats " in request["queryString"] else "lines"}


def answered(request: Mapping[str, Any], rows: list[Row], function: str) -> list[Row]:
    """Return the rows that answer a query begun with `query_id` over these lines of a function."""
    source = LogSource(f"/aws/lambda/{function}", function)
    return hourly_rows(rows, source) if request["queryId"] == "hours" else rows


def _left_out(name: str, count: int) -> Row:
    row = {"hour": "1970-01-01 00:00:00.000", "version": "1", "mb": "128", "calls": str(count), "impossible": "1"}
    return [
        {"field": key, "value": value} for key, value in (row | {"malformed": str(int(name == "malformed"))}).items()
    ]


def _row(key: tuple[str, str, int, str, bool], calls: list[ReportLine]) -> dict[str, Any]:
    hour, version, memory_mb, status, full = key
    inits = [call.init_ms or call.restore_ms or 0.0 for call in calls if call.is_cold]
    return {
        "hour": hour,
        "version": version,
        "mb": memory_mb,
        "status": status,
        "impossible": 0,
        "malformed": 0,
        "full": int(full),
        "calls": len(calls),
        "usedMb": max(call.max_memory_used_mb for call in calls),
        **_figures("ms", [call.duration_ms for call in calls], _SHARES),
        "inits": len(inits),
        **(_figures("init", inits, _INIT_SHARES) if inits else {}),
    }


def _figures(name: str, values: list[float], shares: tuple[int, ...]) -> dict[str, float]:
    quantiles = {f"{name}{share}": float(np.percentile(values, share)) for share in shares}
    return {f"{name}Sum": sum(values), f"{name}Squares": sum(value * value for value in values), **quantiles}
