"""Read the points from CloudWatch that a history does not have yet, with as few calls as the service allows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from optimizer.aws import POINTS_PER_PAGE, CloudWatchClient, MetricQuery, read_points
from optimizer.core import OptimizerError, moment_of
from optimizer.traffic import hourly
from optimizer.traffic.history import HOUR_METRICS, HOURS_KEPT, MINUTE_METRICS, MINUTES_KEPT, History, Series

QUERIES_PER_CALL = 500
# CloudWatch may still correct the newest points, so the next run reads them again.
REREAD_MINUTES = 180
# All attempts of one throttled call take about half a minute, and the Lambda has ten minutes.
FAILURES_IN_A_ROW = 5
# The newest minutes are often not complete yet.
SETTLING_MINUTES = 3
# Stands for all functions of the account and Region.
_ACCOUNT = ""
_LATEST = "$LATEST"
_STATISTICS = {
    "invocations": ("Invocations", "Sum"),
    "duration_ms": ("Duration", "Average"),
    "p95_duration_ms": ("Duration", "p95"),
    "concurrency": ("ConcurrentExecutions", "Maximum"),
    "errors": ("Errors", "Sum"),
    "throttles": ("Throttles", "Sum"),
}


class MetricsUnavailable(OptimizerError, RuntimeError):
    """CloudWatch did not answer after all retries. The message says why."""


@dataclass(frozen=True, slots=True)
class _Query:
    # The result of metric_resource.
    function_name: str
    metric: str
    period_s: int
    first: int
    end: int

    @property
    def points(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class MetricWindow:
    """The minutes and hours to read, numbered from 1970; ends are not included."""

    first_minute: int
    end_minute: int
    # Hours before the first minute: these are read by the hour only.
    first_old_hour: int
    # Hours within the minutes; the last one may not be over.
    first_hour: int
    end_hour: int

    @property
    def since_minute(self) -> int:
        """The first minute for which anything is read."""
        return min(self.first_minute, self.first_old_hour * 60)


def metric_resource(function_name: str, alias: str) -> str:
    """Return the name of the metrics of the calls through an alias.

    alias: `$LATEST` for a function without one: then all its calls count."""
    return function_name if alias == _LATEST else f"{function_name}:{alias}"


def missing_window(history: History, now_minute: int) -> MetricWindow:
    """Return the window that the history lacks at `now_minute`: at most 15 days of minutes and 63 days of hours.

    The last hours are read again.
    """
    end_minute = now_minute - SETTLING_MINUTES
    # Minutes start at a full hour so that they add up to CloudWatch's hours; older minutes are not kept there.
    oldest = -(-(now_minute - MINUTES_KEPT) // 60) * 60
    first_minute = max(oldest, (history.end_minute - REREAD_MINUTES) // 60 * 60)
    first_hour = first_minute // 60
    oldest_hour = now_minute // 60 - HOURS_KEPT
    first_old_hour = oldest_hour if not len(history.hours) else max(oldest_hour, history.hours.end)
    return MetricWindow(first_minute, end_minute, min(first_old_hour, first_hour), first_hour, end_minute // 60)


def read_missing(
    cloudwatch: "CloudWatchClient", windows: Mapping[str, MetricWindow]
) -> Iterator[tuple[str, History | MetricsUnavailable]]:
    """Yield the new points of each function, or the reason why there are none.

    windows: by `metric_resource`: CloudWatch counts the calls through an alias apart from those of the whole function,
    as the dimension Resource ("Using CloudWatch metrics with Lambda", Lambda Developer Guide), at the same price. A
    point that CloudWatch does not report is NaN. Throttles are those of the account, as long as there are none. A
    failed call fails only the functions that it asked for. After FAILURES_IN_A_ROW failed calls the remaining functions
    fail without being asked for, so that time is left to store the points that were read. Durations are those of the
    hour. The concurrency of each minute is read only for functions with bursts (`hourly.has_bursts`); for others it is
    NaN.
    """
    reading = _Reading(cloudwatch)
    of_account = {_throttles(_ACCOUNT, asked) for asked in windows.values()}
    reading.ask([*of_account, *(query for name, asked in windows.items() for query in _queries(name, asked))])
    reading.ask([query for name, asked in windows.items() if (query := reading.unsettled(name, asked)) is not None])
    histories = {name: _history(asked, reading.of(name)) for name, asked in windows.items()}
    bursting = {name: windows[name] for name, history in histories.items() if hourly.has_bursts(history)}
    reading.ask([_by_minute(name, "concurrency", asked) for name, asked in bursting.items()])
    histories |= {name: _history(asked, reading.of(name)) for name, asked in bursting.items()}
    for name, history in histories.items():
        yield name, reading.failed.get(name, history)


class _Reading:
    """The points that were read so far, and the functions for which reading failed."""

    def __init__(self, cloudwatch: "CloudWatchClient") -> None:
        self.failed: dict[str, MetricsUnavailable] = {}
        self._cloudwatch = cloudwatch
        self._points: dict[str, dict[_Query, Any]] = defaultdict(dict)
        self._failure, self._in_a_row = MetricsUnavailable(), 0

    def of(self, name: str) -> Mapping[_Query, Any]:
        """Return the points of a function by query."""
        return self._points[name]

    def ask(self, queries: list[_Query]) -> None:
        """Send the queries that cover at least one point, except those of functions that failed before."""
        asked = [query for query in queries if query.points > 0]
        for query in asked:
            self._points[query.function_name][query] = np.full(query.points, np.nan)
        for call in _calls(asked):
            wanted = [query for query in call if query.function_name not in self.failed]
            if wanted and not self._is_answered(wanted):
                self.failed.update({query.function_name: self._failure for query in wanted})

    def unsettled(self, name: str, asked: MetricWindow) -> _Query | None:
        """Return the query of the throttles of a function; None where the account had none while it was called.

        The same metric without dimensions is that of all functions, at the price of one."""
        throttles, errors = _throttles(name, asked), _by_hour(name, "errors", asked)
        of_account = self.of(_ACCOUNT).get(_throttles(_ACCOUNT, asked))
        called = self.of(name).get(errors)
        if of_account is None or called is None or not (of_account == 0).any() or (of_account > 0).any():
            return throttles
        self._points[name][throttles] = np.where((of_account == 0) & ~np.isnan(called), 0.0, np.nan)
        return None

    def _is_answered(self, call: list[_Query]) -> bool:
        if self._in_a_row >= FAILURES_IN_A_ROW:
            return False
        try:
            self.failed.update(_ask(self._cloudwatch, call, self._points))
        except (ClientError, BotoCoreError) as error:
            self._failure, self._in_a_row = MetricsUnavailable(_explanation(error)), self._in_a_row + 1
            return False
        self._in_a_row = 0
        return True


def _queries(name: str, asked: MetricWindow) -> list[_Query]:
    hours = [_by_hour(name, metric, asked) for metric in HOUR_METRICS if metric not in ("invocations", "throttles")]
    old = _Query(name, "invocations", 3600, asked.first_old_hour, asked.first_hour)
    return [_by_minute(name, "invocations", asked), old, *hours]


def _by_hour(name: str, metric: str, asked: MetricWindow) -> _Query:
    return _Query(name, metric, 3600, asked.first_old_hour, -(-asked.end_minute // 60))


def _throttles(name: str, asked: MetricWindow) -> _Query:
    return _by_hour(name, "throttles", asked)


def _by_minute(name: str, metric: str, asked: MetricWindow) -> _Query:
    return _Query(name, metric, 60, asked.first_minute, asked.end_minute)


def _calls(queries: list[_Query]) -> Iterator[list[_Query]]:
    """Yield the queries in groups of one call each.

    All queries of a call have the same window. No call asks for more points than a page holds; a single series always
    fits (21,600 points).
    """
    by_window: dict[tuple[int, int, int], list[_Query]] = {}
    for query in queries:
        by_window.setdefault((query.period_s, query.first, query.end), []).append(query)
    for same in by_window.values():
        size = max(1, min(QUERIES_PER_CALL, POINTS_PER_PAGE // same[0].points))
        for at in range(0, len(same), size):
            yield same[at : at + size]


def _ask(
    cloudwatch: "CloudWatchClient", call: list[_Query], points: Mapping[str, Mapping[_Query, Any]]
) -> dict[str, MetricsUnavailable]:
    """Fill in the points of the queries; return the functions of which CloudWatch could not read a metric, and why."""
    period_s, first, end = call[0].period_s, call[0].first, call[0].end
    queries = [_metric_query(f"m{i}", query) for i, query in enumerate(call)]
    start, stop = moment_of(first * period_s // 60), moment_of(end * period_s // 60)
    failed: dict[str, MetricsUnavailable] = {}
    for identifier, found in read_points(cloudwatch, queries, start, stop).items():
        query = call[int(identifier[1:])]
        if found.problem:
            metric, _ = _STATISTICS[query.metric]
            failed[query.function_name] = MetricsUnavailable(f"CloudWatch could not read {metric}: {found.problem}")
            continue
        into = points[query.function_name][query]
        numbers = np.array([int(stamp.timestamp()) for stamp in found.times], np.int64) // period_s - first
        inside = (numbers >= 0) & (numbers < len(into))
        into[numbers[inside]] = np.array(found.values, np.float64)[inside]
    return failed


def _metric_query(identifier: str, query: _Query) -> MetricQuery:
    metric, statistic = _STATISTICS[query.metric]
    function_name, _, alias = query.function_name.partition(":")
    dimensions = {} if query.function_name == _ACCOUNT else {"FunctionName": function_name}
    if alias:
        dimensions["Resource"] = query.function_name
    return MetricQuery(identifier, "AWS/Lambda", metric, statistic, query.period_s, dimensions)


def _history(asked: MetricWindow, points: Mapping[_Query, Any]) -> History:
    length = max(asked.end_minute - asked.first_minute, 0)
    minutes = {metric: np.full(length, np.nan) for metric in MINUTE_METRICS}
    hours = {metric: np.full(max(asked.end_hour - asked.first_old_hour, 0), np.nan) for metric in HOUR_METRICS}
    durations_ms = np.full(length, np.nan)
    for query, values in points.items():
        if query.period_s == 60:
            minutes[query.metric] = values
            continue
        # The last hour may not be over, so it is left out of the hourly series.
        finished = values[: len(hours[query.metric])]
        hours[query.metric][: len(finished)] = finished
        if query.metric == "duration_ms":
            durations_ms = hourly.repeat_by_minute(values[asked.first_hour - asked.first_old_hour :], length)
    minutes["duration_ms"] = np.where(minutes["invocations"] > 0, durations_ms, np.nan)
    return History(Series(asked.first_minute, minutes), Series(asked.first_old_hour, hours))


def _explanation(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, ClientError):
        code, message = error.response["Error"].get("Code", "?"), error.response["Error"].get("Message", "")
        if "Throttl" in code or code in ("LimitExceededFault", "TooManyRequestsException"):
            return "CloudWatch kept throttling GetMetricData through all retries; the next run reads the missing points"
        return f"CloudWatch refused GetMetricData: {code}: {message}"
    return f"CloudWatch could not be reached: {error}"
