"""Reading CloudWatch: only what the history does not have yet, as many metrics in a call as it allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from optimizer.traffic.history import (
    HOUR_METRICS,
    HOURS_KEPT,
    MINUTE_METRICS,
    MINUTES_KEPT,
    History,
    Series,
)
from optimizer.traffic.minutes import moment_of

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

QUERIES_PER_CALL = 500
POINTS_PER_CALL = 100_800
# CloudWatch may still correct the newest points; they are read again by the next run.
REREAD_MINUTES = 180
# All attempts of a call that is throttled take about half a minute, and the Lambda has ten.
FAILURES_IN_A_ROW = 5
# The newest minutes are often not complete yet.
SETTLING_MINUTES = 3

_STATISTICS = {
    "invocations": ("Invocations", "Sum"),
    "duration_ms": ("Duration", "Average"),
    "p95_duration_ms": ("Duration", "p95"),
    "concurrency": ("ConcurrentExecutions", "Maximum"),
    "errors": ("Errors", "Sum"),
    "throttles": ("Throttles", "Sum"),
}
_ONLY_BY_HOUR = tuple(name for name in HOUR_METRICS if name not in MINUTE_METRICS)


class MetricsUnavailable(RuntimeError):
    """CloudWatch did not answer, after all retries; the message says why."""


@dataclass(frozen=True, slots=True)
class _Query:
    function_name: str
    metric: str
    period_s: int
    first: int
    end: int

    @property
    def points(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Window:
    """What to ask for, numbers since 1970, ends not included. `old_hours`: hours before the minutes begin;
    `hours`: those that lie in the minutes, for what is kept by the hour only."""

    first_minute: int
    end_minute: int
    first_old_hour: int
    first_hour: int
    end_hour: int

    @property
    def since_minute(self) -> int:
        """The first minute that is read, by the minute or by the hour."""
        return min(self.first_minute, self.first_old_hour * 60)


def window(history: History, now_minute: int) -> Window:
    """What the history lacks at `now_minute`: 15 days of minutes and 63 of hours at most, the last hours again."""
    end_minute = now_minute - SETTLING_MINUTES
    # Whole hours, so that CloudWatch's hours are ours, and none older than it keeps minutes.
    oldest = -(-(now_minute - MINUTES_KEPT) // 60) * 60
    first_minute = max(oldest, (history.end_minute - REREAD_MINUTES) // 60 * 60)
    first_hour = first_minute // 60
    oldest_hour = now_minute // 60 - HOURS_KEPT
    first_old_hour = oldest_hour if not len(history.hours) else max(oldest_hour, history.hours.end)
    return Window(first_minute, end_minute, min(first_old_hour, first_hour), first_hour, end_minute // 60)


def read(
    cloudwatch: "CloudWatchClient", windows: Mapping[str, Window]
) -> Iterator[tuple[str, History | MetricsUnavailable]]:
    """The new points of each function, by name, or why there are none. A point that CloudWatch does not report is
    NaN. One failed call fails only the functions that it asked for; after several in a row the rest fails unasked, so
    that there is time left to keep what was read and to say what was not."""
    queries = [query for name, asked in windows.items() for query in _queries(name, asked)]
    points: dict[_Query, Any] = {query: np.full(query.points, np.nan) for query in queries}
    failed: dict[str, MetricsUnavailable] = {}
    failure, in_a_row = MetricsUnavailable(), 0
    for call in _calls(queries):
        wanted = [query for query in call if query.function_name not in failed]
        if not wanted:
            continue
        if in_a_row < FAILURES_IN_A_ROW:
            try:
                _ask(cloudwatch, wanted, points)
                in_a_row = 0
                continue
            except (ClientError, BotoCoreError) as error:
                failure, in_a_row = MetricsUnavailable(_explanation(error)), in_a_row + 1
        failed.update({query.function_name: failure for query in wanted})
    for name, asked in windows.items():
        if name in failed:
            yield name, failed[name]
        else:
            yield name, _history(asked, {q: points[q] for q in queries if q.function_name == name})


def _queries(name: str, asked: Window) -> list[_Query]:
    minutes = [_Query(name, metric, 60, asked.first_minute, asked.end_minute) for metric in MINUTE_METRICS]
    old = [_Query(name, metric, 3600, asked.first_old_hour, asked.first_hour) for metric in MINUTE_METRICS]
    hours = [_Query(name, metric, 3600, asked.first_old_hour, asked.end_hour) for metric in _ONLY_BY_HOUR]
    return [query for query in minutes + old + hours if query.points > 0]


def _calls(queries: list[_Query]) -> Iterator[list[_Query]]:
    """Queries packed into calls: of one call all have the same window, and none asks for more points than a page
    holds (one series alone always fits: 21,600)."""
    by_window: dict[tuple[int, int, int], list[_Query]] = {}
    for query in queries:
        by_window.setdefault((query.period_s, query.first, query.end), []).append(query)
    for same in by_window.values():
        size = max(1, min(QUERIES_PER_CALL, POINTS_PER_CALL // same[0].points))
        for at in range(0, len(same), size):
            yield same[at : at + size]


def _ask(cloudwatch: "CloudWatchClient", call: list[_Query], points: dict[_Query, Any]) -> None:
    period_s, first, end = call[0].period_s, call[0].first, call[0].end
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[_metric_data_query(f"m{i}", query) for i, query in enumerate(call)],
        StartTime=moment_of(first * period_s // 60),
        EndTime=moment_of(end * period_s // 60),
        ScanBy="TimestampAscending",
        PaginationConfig={"PageSize": POINTS_PER_CALL},
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            into = points[call[int(result["Id"][1:])]]
            numbers = np.array([int(stamp.timestamp()) for stamp in result["Timestamps"]], np.int64) // period_s - first
            inside = (numbers >= 0) & (numbers < len(into))
            into[numbers[inside]] = np.array(result["Values"], np.float64)[inside]


def _metric_data_query(identifier: str, query: _Query) -> Any:
    metric, statistic = _STATISTICS[query.metric]
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Lambda",
                "MetricName": metric,
                "Dimensions": [{"Name": "FunctionName", "Value": query.function_name}],
            },
            "Period": query.period_s,
            "Stat": statistic,
        },
        "ReturnData": True,
    }


def _history(asked: Window, points: Mapping[_Query, Any]) -> History:
    minutes = Series(asked.first_minute, {q.metric: values for q, values in points.items() if q.period_s == 60})
    length = max(asked.end_hour - asked.first_old_hour, 0)
    hours = {metric: np.full(length, np.nan) for metric in HOUR_METRICS}
    for query, values in points.items():
        if query.period_s == 3600:
            hours[query.metric][: len(values)] = values[:length]
    return History(minutes, Series(asked.first_old_hour, hours))


def _explanation(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, ClientError):
        code, said = error.response["Error"].get("Code", "?"), error.response["Error"].get("Message", "")
        if "Throttl" in code or code in ("LimitExceededFault", "TooManyRequestsException"):
            return "CloudWatch went on throttling GetMetricData through all retries; the next run reads what is missing"
        return f"CloudWatch refused GetMetricData: {code}: {said}"
    return f"CloudWatch could not be reached: {error}"
