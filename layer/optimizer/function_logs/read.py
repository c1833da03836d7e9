"""Read REPORT lines with CloudWatch Logs Insights, within a limit on the bytes that are scanned and paid for."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import CloudWatchLogsClient
from optimizer.core import OptimizerError
from optimizer.function_logs.parse import LogSource, Reports, parse_rows
from optimizer.prices import aws_lambda

_QUERY = (
    'fields @timestamp, @logStream, @message | filter @type = "REPORT" or type = "platform.report" {of_function}'
    "| sort @timestamp desc | limit 10000"
)
# In a group of its own choice, the function's name is part of the stream's; others may write there, too.
_OF_FUNCTION = "| filter @logStream like /\\/{name}\\[/ "
_MOST_ROWS = 10_000
_MB = 1_000_000
_LONGEST = timedelta(days=14)
# If a log group is too young or too empty to know its rate, its last hour is read first, then longer windows.
_UNKNOWN = timedelta(hours=1)
_LONGER = (timedelta(days=1), _LONGEST)
# Storage is billed compressed, to 15 % by AWS's own calculator, and no source settles if `storedBytes` is that. Until a
# query has told, it may scan so many bytes for each that is stored.
_SCANNED_PER_STORED = 7.0
# Log rates change, so a longer window is assumed to hold twice the rate of the shorter one.
_CAUTION = 2.0
# No further query is made for less.
_WORTH_A_QUERY = timedelta(minutes=1)
_PAUSE_S = 0.5


class LogsUnreadable(OptimizerError, RuntimeError):
    """The lines could not be read. The message is one sentence for the report."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The lines of the window [start, end) and the bytes that were scanned for them."""

    reports: Reports
    start: datetime
    end: datetime
    scanned_bytes: float

    @property
    def usd(self) -> float:
        """The price of the scan in US dollars."""
        return float(aws_lambda.log_scan_usd(self.scanned_bytes))


@dataclass(frozen=True, slots=True)
class LogGroup:
    """The bytes that a log group holds, when it was created, and how long it keeps them (None: for ever)."""

    stored_bytes: int
    created_at: datetime
    retention: timedelta | None = None


def window_start(
    group: LogGroup, now: datetime, max_scan_mb: int, lines_day: float | None, read_until: datetime | None
) -> datetime:
    """Return the time from which to read first: as far back as the budget, the row limit of a query and `read_until`
    allow, even if a query scans more than `storedBytes` says.

    It is `now` if nothing may be read. Pure.
    """
    if max_scan_mb <= 0:
        return now
    age = min(now - group.created_at, group.retention or _LONGEST * 1000)
    longest = _UNKNOWN
    if _has_known_rate(group, now):
        longest = timedelta(seconds=min(_LONGEST / timedelta(seconds=1), _seconds_for(group, age, max_scan_mb)))
    if lines_day:
        longest = min(longest, timedelta(days=min(_MOST_ROWS / lines_day, _LONGEST.days)))
    start = now - longest
    return max(start, read_until) if read_until else start


def extended_start(
    start: datetime, now: datetime, scanned_bytes: float, max_scan_mb: int, span: timedelta, oldest: datetime
) -> datetime:
    """Return the time from which a further query may read, given that [start, now) held `scanned_bytes`.

    The whole window is at most `span`. The result is `start` if the budget is used up. Pure.
    """
    seconds = (now - start).total_seconds()
    if max_scan_mb <= 0 or seconds <= 0:
        return start
    wanted = span.total_seconds() - seconds
    if scanned_bytes > 0:
        left = max_scan_mb * _MB - scanned_bytes
        wanted = min(wanted, left / (_CAUTION * scanned_bytes / seconds))
    return min(start, max(start - timedelta(seconds=max(0.0, wanted)), oldest))


class ReportLog:
    """Reads the REPORT lines of functions."""

    def __init__(self, logs: "CloudWatchLogsClient", sleep: Callable[[float], None] = time.sleep) -> None:
        self._logs = logs
        self._sleep = sleep

    def scan(
        self,
        source: LogSource,
        now: datetime,
        *,
        max_scan_mb: int,
        lines_day: float | None,
        read_until: datetime | None,
        timeout_s: float = 60.0,
    ) -> Scan:
        """Return the newest lines of the function within the budget.

        Raise LogsUnreadable if the group is missing or a query fails. lines_day: expected lines a day, if known.
        read_until: lines up to this time were read before.
        """
        group = self._group(source.group)
        start = window_start(group, now, max_scan_mb, lines_day, read_until)
        rows, scanned = self._rows(source, start, now, timeout_s)
        # Reading from before the creation of a group of unknown size costs nothing.
        oldest = now - min(group.retention or _LONGEST, _LONGEST)
        if _has_known_rate(group, now):
            oldest = max(oldest, group.created_at)
        if lines_day:
            oldest = max(oldest, now - timedelta(days=_MOST_ROWS / lines_day))
        # The first query has told how many bytes there are.
        for span in (_LONGEST,) if _has_known_rate(group, now) else _LONGER:
            earlier = extended_start(start, now, scanned, max_scan_mb, span, max(oldest, read_until or oldest))
            if start - earlier < _WORTH_A_QUERY:
                break
            more, cost = self._rows(source, earlier, start, timeout_s)
            rows, scanned, start = [*rows, *more], scanned + cost, earlier
        reports = parse_rows(
            (
                (_time(row.get("@timestamp", ""), now), row.get("@logStream", ""), row.get("@message", ""))
                for row in rows
            ),
            source,
        )
        return Scan(reports, start, now, scanned)

    def _rows(
        self, source: LogSource, start: datetime, end: datetime, timeout_s: float
    ) -> tuple[list[dict[str, str]], float]:
        """Return the rows and the bytes that were scanned for them."""
        if start >= end:
            return [], 0.0
        answer = self._query(source, start, end, timeout_s)
        rows = [{item["field"]: item["value"] for item in row} for row in answer["results"]]
        # If the service does not report the scanned bytes, they are at least those of the returned messages.
        returned = sum(len(row.get("@message", "")) for row in rows)
        return rows, max(float(answer.get("statistics", {}).get("bytesScanned", 0.0)), float(returned))

    def _start(self, source: LogSource, start: datetime, end: datetime, timeout_s: float) -> str:
        """Start a query and return its id. An account runs few queries at once, so this waits for others to end."""
        for _ in range(max(1, int(timeout_s / _PAUSE_S))):
            try:
                return self._logs.start_query(
                    logGroupName=source.group,
                    startTime=int(start.timestamp()),
                    endTime=int(end.timestamp()),
                    queryString=_query_text(source),
                )["queryId"]
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code != "LimitExceededException":
                    raise LogsUnreadable(f"CloudWatch Logs refused the query of {source.group}: {code}") from error
            self._sleep(_PAUSE_S)
        raise LogsUnreadable(
            f"other queries of the account kept the query of {source.group} waiting for {timeout_s:g} s"
        )

    def _group(self, name: str) -> LogGroup:
        found = self._logs.describe_log_groups(logGroupNamePrefix=name, limit=50)["logGroups"]
        for group in found:
            if group["logGroupName"] == name:
                days = group.get("retentionInDays")
                return LogGroup(
                    group.get("storedBytes", 0),
                    datetime.fromtimestamp(group["creationTime"] / 1000, UTC),
                    timedelta(days=days) if days else None,
                )
        raise LogsUnreadable(f"there is no log group {name}")

    def _query(self, source: LogSource, start: datetime, end: datetime, timeout_s: float) -> Any:
        query_id = self._start(source, start, end, timeout_s)
        for _ in range(max(1, int(timeout_s / _PAUSE_S))):
            answer = self._logs.get_query_results(queryId=query_id)
            if answer["status"] == "Complete":
                return answer
            if answer["status"] not in ("Scheduled", "Running"):
                raise LogsUnreadable(f"the query of {source.group} ended as {answer['status']}")
            self._sleep(_PAUSE_S)
        self._logs.stop_query(queryId=query_id)
        raise LogsUnreadable(f"the query of {source.group} took longer than {timeout_s:g} s")


def _query_text(source: LogSource) -> str:
    return _QUERY.format(of_function="" if source.is_own else _OF_FUNCTION.format(name=source.function))


def _has_known_rate(group: LogGroup, now: datetime) -> bool:
    return group.stored_bytes > 0 and now - group.created_at > _UNKNOWN


def _seconds_for(group: LogGroup, age: timedelta, max_scan_mb: int) -> float:
    return max_scan_mb * _MB / (group.stored_bytes * _SCANNED_PER_STORED) * age.total_seconds()


def _time(text: str, default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return default


@dataclass(frozen=True, slots=True)
class UsedMemory:
    """The peak memory usage in a window of time."""

    # None if it is unknown; `why` gives the reason.
    mb: int | None
    why: str = ""


def read_used_memory(
    logs: ReportLog, source: LogSource, version: str, start: datetime, end: datetime, max_scan_mb: int
) -> UsedMemory:
    """Read the peak memory usage from the lines of [start, end), scanning at most `max_scan_mb`."""
    try:
        lines = logs.scan(source, end, max_scan_mb=max_scan_mb, lines_day=None, read_until=start).reports.lines
    except LogsUnreadable as unreadable:
        return UsedMemory(None, f"its memory usage could not be read: {unreadable}")
    used = [line.report.max_memory_used_mb for line in lines if line.version == version]
    return (
        UsedMemory(max(used))
        if used
        else UsedMemory(None, f"no REPORT line of version {version} shows its memory usage")
    )


def memory_shortage(used: UsedMemory, memory_mb: int, headroom: float) -> str:
    """Return a message if `memory_mb` is less than `headroom` times the peak usage, otherwise an empty string.

    The result is also empty if the usage is unknown. Pure.
    """
    if used.mb is None or used.mb * headroom <= memory_mb:
        return ""
    needed_mb = math.ceil(used.mb * headroom)
    return f"{memory_mb} MB is below the required {needed_mb} MB ({headroom:g} x the peak usage of {used.mb} MB)"
