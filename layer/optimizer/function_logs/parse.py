"""Parse REPORT lines of Lambda, in text and in JSON (`platform.report`). One log group may hold both.

Text:  REPORT RequestId: X<tab>Duration: 12.34 ms<tab>Billed Duration: 13 ms<tab>Memory Size: 128 MB<tab>...
JSON:  {"type": "platform.report", "record": {"requestId", "status", "metrics": {"durationMs", ...}}}
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimizer.core import OptimizerError
from optimizer.function_logs.log_source import LogSource, version_of

# CloudWatch Logs accepts no longer event, so a longer line was not written by Lambda.
_LONGEST_LINE = 1_048_576
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_TEXT_FIELDS = {
    "Duration": ("duration_ms", "ms"),
    "Billed Duration": ("billed_ms", "ms"),
    "Memory Size": ("memory_mb", "MB"),
    "Max Memory Used": ("max_memory_used_mb", "MB"),
    "Init Duration": ("init_ms", "ms"),
    "Restore Duration": ("restore_ms", "ms"),
    "Billed Restore Duration": ("billed_restore_ms", "ms"),
}
_JSON_FIELDS = {
    "durationMs": "duration_ms",
    "billedDurationMs": "billed_ms",
    "memorySizeMB": "memory_mb",
    "maxMemoryUsedMB": "max_memory_used_mb",
    "initDurationMs": "init_ms",
    "restoreDurationMs": "restore_ms",
    "billedRestoreDurationMs": "billed_restore_ms",
}
_REQUIRED = ("duration_ms", "billed_ms", "memory_mb", "max_memory_used_mb")
# Lambda reports a little more than the size for calls that run out of memory.
MOST_USED = 1.1
LEAST_MB, MOST_MB = 128, 10_240


class MalformedReport(OptimizerError, ValueError):
    """A line looks like a REPORT line, but a value is missing or not a number."""


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One call of a function."""

    request_id: str
    duration_ms: float
    billed_ms: float
    memory_mb: int
    max_memory_used_mb: int
    # None for a warm call.
    init_ms: float | None = None
    # None without SnapStart.
    restore_ms: float | None = None
    billed_restore_ms: float | None = None
    # "success", or Lambda's own word for the failure: timeout, error, failure.
    status: str = "success"

    @property
    def is_cold(self) -> bool:
        """True if the call started a new environment."""
        return self.init_ms is not None or self.restore_ms is not None


@dataclass(frozen=True, slots=True)
class LoggedReport:
    """A REPORT line and its origin."""

    at: datetime
    # The version of the function; empty if the log stream does not tell.
    version: str
    report: ReportLine
    # The log stream: each environment has one of its own.
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Reports:
    """The result of a scan: the calls of the function, and how many other lines there were.

    malformed: damaged REPORT lines. others: lines that are no REPORT. foreign: lines of other functions in the same
    log group. impossible: lines that Lambda cannot have written.
    """

    lines: tuple[LoggedReport, ...] = ()
    malformed: int = 0
    others: int = 0
    foreign: int = 0
    impossible: int = 0


def parse(message: str) -> ReportLine | None:
    """Return the call that a log message reports; None for another message. Raise MalformedReport for a damaged one."""
    text = message.strip()
    if text.startswith("REPORT RequestId:"):
        return _from_text(text)
    if text.startswith("{") and '"platform.report"' in text:
        return _from_json(text)
    return None


def parse_rows(rows: Iterable[tuple[datetime, str, str]], source: LogSource) -> Reports:
    """Parse rows of (time, log stream, message); what is no call of the source's function is counted and left out."""
    lines: list[LoggedReport] = []
    malformed = others = foreign = impossible = 0
    for at, stream, message in rows:
        if not source.wrote(stream):
            foreign += 1
            continue
        try:
            report = parse(message)
        except MalformedReport:
            malformed += 1
            continue
        if report is None:
            others += 1
        elif not is_possible(report):
            impossible += 1
        else:
            lines.append(LoggedReport(at, version_of(stream), report, stream))
    return Reports(tuple(lines), malformed, others, foreign, impossible)


def is_possible(report: ReportLine) -> bool:
    """Return False for a line that Lambda cannot have written: anybody may print the words of a REPORT."""
    return LEAST_MB <= report.memory_mb <= MOST_MB and report.max_memory_used_mb <= report.memory_mb * MOST_USED


def _from_text(text: str) -> ReportLine:
    if len(text) > _LONGEST_LINE:
        raise MalformedReport("longer than any log event")
    values: dict[str, float] = {}
    request_id, status = "", "success"
    for part in re.split(r"[\t\n]+", text.removeprefix("REPORT ")):
        name, _, value = part.strip().partition(": ")
        if name == "RequestId":
            request_id = value.strip()
        elif name == "Status":
            status = value.strip().lower()
        elif name in _TEXT_FIELDS:
            field, unit = _TEXT_FIELDS[name]
            number, _, found = value.strip().partition(" ")
            if found != unit or not _NUMBER.fullmatch(number):
                raise MalformedReport(f"{name} is {value[:40]!r}, not a number of {unit}")
            values[field] = float(number)
    return _line(request_id, status, values)


def _from_json(text: str) -> ReportLine | None:
    if len(text) > _LONGEST_LINE:
        raise MalformedReport("longer than any log event")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedReport("not JSON") from error
    # A message of the function itself may contain the words "platform.report".
    if not isinstance(event, Mapping) or event.get("type") != "platform.report":
        return None
    record = event.get("record")
    metrics = record.get("metrics") if isinstance(record, Mapping) else None
    if not isinstance(record, Mapping) or not isinstance(metrics, Mapping):
        raise MalformedReport("no record with metrics")
    values = {ours: _number(theirs, metrics[theirs]) for theirs, ours in _JSON_FIELDS.items() if theirs in metrics}
    status = record.get("status", "success")
    return _line(str(record.get("requestId") or ""), status.lower() if isinstance(status, str) else "", values)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        raise MalformedReport(f"{name} is not a number")
    return float(value)


def _line(request_id: str, status: str, values: Mapping[str, float]) -> ReportLine:
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise MalformedReport(f"no {', '.join(missing)}")
    if not request_id or not status:
        raise MalformedReport("no request id or an empty status")
    memory, used = values["memory_mb"], values["max_memory_used_mb"]
    if not (memory.is_integer() and memory > 0 and math.isfinite(used)):
        raise MalformedReport("memory is not a whole number of MB above zero")
    return ReportLine(
        request_id=request_id,
        duration_ms=values["duration_ms"],
        billed_ms=values["billed_ms"],
        memory_mb=int(memory),
        max_memory_used_mb=math.ceil(used),
        init_ms=values.get("init_ms"),
        restore_ms=values.get("restore_ms"),
        billed_restore_ms=values.get("billed_restore_ms"),
        status=status,
    )
