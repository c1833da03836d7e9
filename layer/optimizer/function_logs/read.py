"""Read REPORT lines with CloudWatch Logs Insights, within a limit on the bytes that are scanned and paid for.

Where a query can answer all lines, they are read one by one; where there are more, they are added up by the hour.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from optimizer.aws import CloudWatchLogsClient
from optimizer.function_logs.coverage import hour_of, start_of, window_to_read
from optimizer.function_logs.history import FunctionHistory, LoggedHour
from optimizer.function_logs.hours import LeftOut, LoggedHours, MalformedHour, hourly_query, read_hours
from optimizer.function_logs.log_queries import YOUNG, LogGroup, LogQueries, LogsUnreadable
from optimizer.function_logs.log_source import LATE_LINES, LogSource
from optimizer.function_logs.parse import parse_rows
from optimizer.function_logs.scans import MOST_ROWS, HourlyScan, Scan

_QUERY = (
    'fields @timestamp, @logStream, @message | filter @type = "REPORT" or type = "platform.report" {of_function}'
    f"| sort @timestamp desc | limit {MOST_ROWS}"
)
_MB = 1_000_000
_HOUR, _LONGEST = timedelta(hours=1), timedelta(days=14)
_LONGEST_S = _LONGEST.total_seconds()
# Of a log group that does not tell its rate, the last hour is read first, then longer windows.
_LONGER = (timedelta(days=1), _LONGEST)
# Log rates change, so a longer window is assumed to hold twice the rate of the shorter one.
_CAUTION = 2.0
# No further query is made for less.
_WORTH_A_QUERY = timedelta(minutes=1)
# The first query of all tells how many bytes there are; others read what that leaves.
_FIRST_QUERIES = 3


def window_start(
    group: LogGroup, now: datetime, max_scan_mb: int, lines_day: float | None, read_until: datetime | None
) -> datetime:
    """Return the time from which to read first: as far back as the budget, the row limit of a query and `read_until`
    allow, even if a query scans more than `storedBytes` says.

    It is `now` if nothing may be read. Pure.
    """
    if max_scan_mb <= 0:
        return now
    rate = group.scanned_a_second(now)
    longest = (
        YOUNG if rate is None else timedelta(seconds=min(_LONGEST / timedelta(seconds=1), max_scan_mb * _MB / rate))
    )
    if lines_day:
        longest = min(longest, timedelta(days=min(MOST_ROWS / lines_day, _LONGEST.days)))
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

    def __init__(
        self, logs: "CloudWatchLogsClient", sleep: Callable[[float], None] = time.sleep, timeout_s: float = 60.0
    ) -> None:
        self._queries = LogQueries(logs, sleep, timeout_s)

    def scan(
        self,
        source: LogSource,
        now: datetime,
        *,
        max_scan_mb: int,
        lines_day: float | None,
        read_until: datetime | None,
    ) -> Scan:
        """Return the newest lines of the function within the budget.

        Raise LogsUnreadable if the group is missing or a query fails. lines_day: expected lines a day, if known.
        read_until: lines up to this time were read before.
        """
        group, query = self._queries.group(source.group), _QUERY.format(of_function=source.query_filter)
        start = window_start(group, now, max_scan_mb, lines_day, read_until)
        rows, scanned = self._queries.rows(source.group, query, start, now)
        oldest = group.oldest(now, _LONGEST)
        if lines_day:
            oldest = max(oldest, now - timedelta(days=MOST_ROWS / lines_day))
        # The first query has told how many bytes there are.
        for span in _LONGER if group.scanned_a_second(now) is None else (_LONGEST,):
            earlier = extended_start(start, now, scanned, max_scan_mb, span, max(oldest, read_until or oldest))
            if start - earlier < _WORTH_A_QUERY:
                break
            more, cost = self._queries.rows(source.group, query, earlier, start)
            rows, scanned, start = [*rows, *more], scanned + cost, earlier
        reports = parse_rows(
            (
                (_time(row.get("@timestamp", ""), now), row.get("@logStream", ""), row.get("@message", ""))
                for row in rows
            ),
            source,
        )
        return Scan(reports, start, now, scanned)

    def scan_hours(
        self, source: LogSource, now: datetime, history: FunctionHistory, *, max_scan_mb: int
    ) -> HourlyScan | None:
        """Return the calls of the hours that tell most beside those that the history holds; None where nothing is left.

        Lines can be read some minutes after their calls only, so the last minutes are left for the next run. Raise
        LogsUnreadable as `scan` does.
        """
        group = self._queries.group(source.group)
        first, end = hour_of(group.oldest(now, _LONGEST)), hour_of(now - LATE_LINES)
        read, windows, left = set(history.hours_read), list[tuple[int, int, list[LoggedHour]]](), max_scan_mb * 1e6
        told, scanned, left_out = group.scanned_a_second(now), 0.0, LeftOut()
        bytes_hour = history.bytes_hour if history.bytes_hour or told is None else 3600 * told
        for _ in range(1 if history.bytes_hour else _FIRST_QUERIES):
            affordable = 1.0 if bytes_hour is None else left / max(bytes_hour, 1.0)
            window = window_to_read(read, first, end, max(1, int(min(affordable, _LONGEST / _HOUR))))
            if window is None or left <= 0 or affordable * _HOUR < _WORTH_A_QUERY:
                break
            # Where even one hour is too much, its first minutes stand for it.
            share = min(1.0, affordable)
            until = start_of(window[1]) if share == 1.0 else start_of(window[0]) + share * _HOUR
            found, cost = self._hours(source, start_of(window[0]), until)
            windows.append((*window, found.hours))
            left_out += found.left_out
            read.update(range(*window))
            scanned, left = scanned + cost, left - cost
            # Hours differ, and those not read yet may hold more.
            bytes_hour = _CAUTION * cost / (share * (window[1] - window[0]))
        if not windows or bytes_hour is None:
            return None
        return HourlyScan(windows, scanned, bytes_hour / _CAUTION, left_out)

    def scan_window(
        self, source: LogSource, start: datetime, end: datetime, *, max_scan_mb: int
    ) -> tuple[list[LoggedHour], datetime]:
        """Return the calls of the window [start, end), and from when on they were read: the newest within the budget.

        Hours at the ends of the window are read in part. Raise LogsUnreadable as `scan` does.
        """
        group = self._queries.group(source.group)
        found, left, until = list[LoggedHour](), max_scan_mb * 1e6, end
        rate = group.scanned_a_second(end)
        for _ in range(_FIRST_QUERIES):
            affordable = YOUNG if rate is None else timedelta(seconds=min(left / max(rate, 1.0), _LONGEST_S))
            begin = max(start, until - affordable)
            if left <= 0 or until - begin < min(_WORTH_A_QUERY, until - start) or begin >= until:
                break
            more, cost = self._hours(source, begin, until)
            found += more.hours
            left, rate, until = left - cost, _CAUTION * cost / (until - begin).total_seconds(), begin
        return found, until

    def _hours(self, source: LogSource, start: datetime, end: datetime) -> tuple[LoggedHours, float]:
        rows, scanned = self._queries.rows(source.group, hourly_query(source), start, end)
        return _read(rows, source), scanned


def _read(rows: Sequence[Mapping[str, str]], source: LogSource) -> LoggedHours:
    try:
        return read_hours(rows, source)
    except MalformedHour as error:
        raise LogsUnreadable(f"the query of {source.group} answered no figures: {error}") from error


def _time(text: str, default: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return default
