"""Reads REPORT lines with CloudWatch Logs Insights, within a bound on the bytes that are scanned (and paid)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from optimizer.core import OptimizerError
from optimizer.function_logs.parse import Reports, parse_rows
from optimizer.prices import aws_lambda

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_QUERY = (
    'fields @timestamp, @logStream, @message | filter @type = "REPORT" or type = "platform.report" '
    "| sort @timestamp desc | limit 10000"
)
_MOST_ROWS = 10_000
_MB = 1_000_000
_LONGEST = timedelta(days=14)
# A group so young or so empty that its rate is not known yet is asked for its last hour first, then for longer.
_UNKNOWN = timedelta(hours=1)
_LONGER = (timedelta(days=1), _LONGEST)
# Log rates change; what a longer window will hold is taken twice as large as the shorter one says.
_CAUTION = 2.0
_PAUSE_S = 0.5


class LogsUnreadable(OptimizerError, RuntimeError):
    """The lines could not be read; the message is one sentence for the report."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found and cost. The window is [start, end)."""

    reports: Reports
    start: datetime
    end: datetime
    scanned_bytes: float

    @property
    def usd(self) -> float:
        """The price of the scan."""
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
    """From when on to read: as far back as the budget of bytes, the query's row limit, and what was read before
    allow. Equal to `now` where nothing may be read. Pure."""
    if max_scan_mb <= 0:
        return now
    age = min(now - group.created_at, group.retention or _LONGEST * 1000)
    longest = _UNKNOWN
    if _rate_known(group, now):
        longest = timedelta(seconds=min(_LONGEST / timedelta(seconds=1), _seconds_for(group, age, max_scan_mb)))
    if lines_day:
        longest = min(longest, timedelta(days=min(_MOST_ROWS / lines_day, _LONGEST.days)))
    start = now - longest
    return max(start, read_until) if read_until else start


def longer_start(
    start: datetime, now: datetime, scanned_bytes: float, max_scan_mb: int, span: timedelta, oldest: datetime
) -> datetime:
    """How far back from `start` a further query may reach, to a window of `span` at most, if [start, now) held so many
    bytes; `start` itself where the budget is used up. Pure."""
    seconds = (now - start).total_seconds()
    if max_scan_mb <= 0 or seconds <= 0:
        return start
    wanted = span.total_seconds() - seconds
    if scanned_bytes > 0:
        left = max_scan_mb * _MB - scanned_bytes
        wanted = min(wanted, left / (_CAUTION * scanned_bytes / seconds))
    return min(start, max(start - timedelta(seconds=max(0.0, wanted)), oldest))


class ReportLog:
    """The REPORT lines of functions."""

    def __init__(self, logs: "CloudWatchLogsClient", sleep: Callable[[float], None] = time.sleep) -> None:
        self._logs = logs
        self._sleep = sleep

    def scan(
        self,
        group_name: str,
        now: datetime,
        *,
        max_scan_mb: int,
        lines_day: float | None,
        read_until: datetime | None,
        timeout_s: float = 60.0,
    ) -> Scan:
        """The newest lines within the budget; LogsUnreadable if the group is missing or the query fails."""
        group = self._group(group_name)
        start = window_start(group, now, max_scan_mb, lines_day, read_until)
        rows, scanned = self._rows(group_name, start, now, timeout_s)
        if not _rate_known(group, now):
            # Asking for a time before the group was made costs nothing.
            oldest = now - (group.retention or _LONGEST)
            if lines_day:
                oldest = max(oldest, now - timedelta(days=_MOST_ROWS / lines_day))
            for span in _LONGER:
                earlier = longer_start(start, now, scanned, max_scan_mb, span, max(oldest, read_until or oldest))
                if earlier >= start:
                    break
                more, cost = self._rows(group_name, earlier, start, timeout_s)
                rows, scanned, start = [*rows, *more], scanned + cost, earlier
        reports = parse_rows(
            (_time(row.get("@timestamp", ""), now), row.get("@logStream", ""), row.get("@message", "")) for row in rows
        )
        return Scan(reports, start, now, scanned)

    def _rows(self, group: str, start: datetime, end: datetime, timeout_s: float) -> tuple[list[dict[str, str]], float]:
        """The rows and the bytes that were scanned for them."""
        if start >= end:
            return [], 0.0
        answer = self._query(group, start, end, timeout_s)
        rows = [{item["field"]: item["value"] for item in row} for row in answer["results"]]
        # Where the service does not say what it scanned, it was at least what it returned.
        returned = sum(len(row.get("@message", "")) for row in rows)
        return rows, max(float(answer.get("statistics", {}).get("bytesScanned", 0.0)), float(returned))

    def _start(self, group: str, start: datetime, end: datetime, timeout_s: float) -> str:
        """The query's id. An account runs few queries at once; others are waited for."""
        for _ in range(max(1, int(timeout_s / _PAUSE_S))):
            try:
                return self._logs.start_query(
                    logGroupName=group,
                    startTime=int(start.timestamp()),
                    endTime=int(end.timestamp()),
                    queryString=_QUERY,
                )["queryId"]
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code != "LimitExceededException":
                    raise LogsUnreadable(f"the query of {group} was refused: {code}") from error
            self._sleep(_PAUSE_S)
        raise LogsUnreadable(f"other queries of the account kept that of {group} waiting for {timeout_s:g} s")

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

    def _query(self, group: str, start: datetime, end: datetime, timeout_s: float) -> Any:
        query_id = self._start(group, start, end, timeout_s)
        for _ in range(max(1, int(timeout_s / _PAUSE_S))):
            answer = self._logs.get_query_results(queryId=query_id)
            if answer["status"] == "Complete":
                return answer
            if answer["status"] not in ("Scheduled", "Running"):
                raise LogsUnreadable(f"the query of {group} ended as {answer['status']}")
            self._sleep(_PAUSE_S)
        self._logs.stop_query(queryId=query_id)
        raise LogsUnreadable(f"the query of {group} took longer than {timeout_s:g} s")


def _rate_known(group: LogGroup, now: datetime) -> bool:
    return group.stored_bytes > 0 and now - group.created_at > _UNKNOWN


def _seconds_for(group: LogGroup, age: timedelta, max_scan_mb: int) -> float:
    return max_scan_mb * _MB / group.stored_bytes * age.total_seconds()


def _time(text: str, default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return default
