"""Read the calls of a busy function hour by hour: Logs Insights adds up the REPORT lines where they lie. Pure.

A row is one hour of one version at one size with one status, so a query over a week takes a few hundred rows however
many calls there were. Text and JSON lines may be mixed. Sources: "CloudWatch Logs Insights language query syntax", and
"Supported logs and discovered fields" for the fields of text lines, whose memory is in bytes, a million to the MB.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from optimizer.core import OptimizerError
from optimizer.function_logs.coverage import hour_of, start_of
from optimizer.function_logs.history import LoggedHour, SizeHistory, size_of
from optimizer.function_logs.log_source import LogSource
from optimizer.function_logs.parse import LEAST_MB, MOST_MB, MOST_USED, LoggedReport
from optimizer.function_logs.sketch import Sketch

# Shares of the calls whose longest duration is asked for; the ends come from min and max.
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_INIT_SHARES = (0.5, 0.95)
# Where a line lacks a figure, this stands for the share of its memory that it used.
_NO_SHARE = 1000


class MalformedHour(OptimizerError, ValueError):
    """A row of the answer lacks a figure, or holds something else."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Numbers of lines that are no calls of the function: damaged, of other functions, and not written by Lambda."""

    malformed: int = 0
    foreign: int = 0
    impossible: int = 0

    def __add__(self, other: "LeftOut") -> "LeftOut":
        return LeftOut(
            self.malformed + other.malformed, self.foreign + other.foreign, self.impossible + other.impossible
        )


@dataclass(frozen=True, slots=True)
class LoggedHours:
    """The calls of some hours, and the lines among them that were left out."""

    hours: list[LoggedHour]
    left_out: LeftOut = field(default_factory=LeftOut)


def hourly_query(source: LogSource) -> str:
    """Return the query whose rows `read_hours` reads."""
    percentiles = [f"pct(ms, {share * 100:g}) as ms{share * 100:g}" for share in _SHARES]
    inits = [f"pct(init, {share * 100:g}) as init{share * 100:g}" for share in _INIT_SHARES]
    return (
        'filter @type = "REPORT" or type = "platform.report" '
        f"{source.query_filter}"
        "| parse @logStream /\\[(?<version>[^\\]]+)\\]/ "
        "| parse @message /Status: (?<said>[a-z]+)/ "
        "| parse @message /Restore Duration: (?<restored>[0-9.]+) ms/ "
        '| fields coalesce(record.status, said, "success") as status, '
        "coalesce(record.metrics.memorySizeMB, @memorySize / 1000000) as mb, "
        "coalesce(record.metrics.maxMemoryUsedMB, @maxMemoryUsed / 1000000) as used, "
        "coalesce(record.metrics.durationMs, @duration) as ms, "
        "coalesce(record.metrics.initDurationMs, record.metrics.restoreDurationMs, @initDuration, restored) as init "
        f"| fields coalesce(used / mb + 0 * ms, {_NO_SHARE}) as share "
        f"| fields share > {MOST_USED:g} as impossible, share >= {_NO_SHARE} as malformed, share >= 1 as full "
        "| stats count(*) as calls, max(used) as usedMb, sum(ms) as msSum, sum(ms * ms) as msSquares, "
        f"min(ms) as ms0, max(ms) as ms100, {', '.join(percentiles)}, count(init) as inits, sum(init) as initSum, "
        f"sum(init * init) as initSquares, min(init) as init0, max(init) as init100, {', '.join(inits)} "
        "by bin(1h) as hour, version, mb, status, impossible, malformed, full | sort hour desc | limit 10000"
    )


def read_hours(rows: Iterable[Mapping[str, str]], source: LogSource) -> LoggedHours:
    """Return the hours of the rows; raise MalformedHour for a row without a figure.

    source: rows without a version count only in a log group of the function's own.
    """
    hours, left_out = list[LoggedHour](), LeftOut()
    for row in rows:
        more = _left_out(row, source)
        left_out += more
        if more == LeftOut():
            hours.append(_hour(row))
    return LoggedHours(hours, left_out)


def hours_of(lines: Iterable[LoggedReport]) -> list[LoggedHour]:
    """Return the hours of single lines."""
    found: dict[tuple[int, str, int], list[LoggedReport]] = {}
    for line in lines:
        found.setdefault((hour_of(line.at), line.version, line.report.memory_mb), []).append(line)
    return [
        LoggedHour(start_of(hour), version, size_of(memory_mb, calls))
        for (hour, version, memory_mb), calls in found.items()
    ]


def _left_out(row: Mapping[str, str], source: LogSource) -> LeftOut:
    calls = round(_number(row, "calls"))
    if not row.get("version") and not source.is_own:
        return LeftOut(foreign=calls)
    if _is_true(row, "malformed"):
        return LeftOut(malformed=calls)
    if _is_true(row, "impossible") or not LEAST_MB <= _number(row, "mb") <= MOST_MB:
        return LeftOut(impossible=calls)
    return LeftOut()


def _is_true(row: Mapping[str, str], name: str) -> bool:
    try:
        return {"0": False, "1": True, "false": False, "true": True}[row[name].lower()]
    except KeyError as error:
        raise MalformedHour(f"{name} is neither true nor false") from error


def _hour(row: Mapping[str, str]) -> LoggedHour:
    at, version = _time(row), row.get("version", "")
    calls, memory_mb = round(_number(row, "calls")), round(_number(row, "mb"))
    if calls < 1:
        raise MalformedHour(f"an hour of {calls} calls")
    status = row.get("status", "success").lower()
    durations = _sketch(row, "ms", calls, _SHARES) if status == "success" else Sketch()
    inits = round(_number(row, "inits"))
    return LoggedHour(
        at,
        version,
        SizeHistory(
            memory_mb=memory_mb,
            first_at=at,
            last_at=at,
            durations=durations,
            inits=_sketch(row, "init", inits, _INIT_SHARES) if inits else Sketch(),
            calls=calls,
            timeouts=calls if status == "timeout" else 0,
            errors=calls if status not in ("success", "timeout") else 0,
            out_of_memory=calls if status not in ("success", "timeout") and _is_true(row, "full") else 0,
            max_memory_used_mb=math.ceil(_number(row, "usedMb")),
            versions={version: calls},
        ),
    )


def _sketch(row: Mapping[str, str], name: str, count: int, shares: tuple[float, ...]) -> Sketch:
    points = [(share, _number(row, f"{name}{share * 100:g}")) for share in (0.0, *shares, 1.0)]
    return Sketch.of_quantiles(count, _number(row, f"{name}Sum"), _number(row, f"{name}Squares"), points)


def _number(row: Mapping[str, Any], name: str) -> float:
    try:
        value = float(row[name])
    except (KeyError, ValueError) as error:
        raise MalformedHour(f"no number {name}") from error
    if not math.isfinite(value) or value < 0:
        raise MalformedHour(f"{name} is {value}")
    return value


def _time(row: Mapping[str, str]) -> datetime:
    try:
        return datetime.fromisoformat(row["hour"]).replace(tzinfo=UTC)
    except (KeyError, ValueError) as error:
        raise MalformedHour("no hour") from error
