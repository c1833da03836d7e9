"""CloudWatch metrics: the one place that asks GetMetricData, and that knows an unread metric from a silent one."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from optimizer.aws.client_types import CloudWatchClient, MetricDataQueryTypeDef, MetricDataResultTypeDef
from optimizer.core import OptimizerError

_ATTEMPTS = 3
_PAUSE_S = 1.0
# As many points as one page of an answer holds.
POINTS_PER_PAGE = 100_800


class MetricsUnreadable(OptimizerError, RuntimeError):
    """CloudWatch answered, but could not read a metric completely, after all attempts; what it shows is not known."""


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One series: `identifier` names it in the answer. `dimensions`: name to value."""

    identifier: str
    namespace: str
    metric: str
    statistic: str
    period_s: int
    dimensions: Mapping[str, str]

    def request(self) -> "MetricDataQueryTypeDef":
        """Return the query as GetMetricData takes it."""
        return {
            "Id": self.identifier,
            "MetricStat": {
                "Metric": {
                    "Namespace": self.namespace,
                    "MetricName": self.metric,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions.items()],
                },
                "Period": self.period_s,
                "Stat": self.statistic,
            },
        }


@dataclass(slots=True)
class MetricPoints:
    """The points of one series, oldest first. `problem`: why it is not complete, empty where it is."""

    times: list[datetime] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    problem: str = ""

    def by_time(self) -> dict[datetime, float]:
        """Return the points by their times."""
        return dict(zip(self.times, self.values, strict=True))


def read_points(
    cloudwatch: "CloudWatchClient",
    queries: Sequence[MetricQuery],
    start: datetime,
    end: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, MetricPoints]:
    """Return the points of every query, by its identifier, asking again for those that CloudWatch could not read
    completely. A series that stays incomplete has a `problem` and no points: unknown is never zero.

    Source: "GetMetricData", API reference of CloudWatch: StatusCode is Complete, InternalError, PartialData or
    Forbidden, and PartialData of a page means that there are more pages.
    """
    found: dict[str, MetricPoints] = {}
    wanted = list(queries)
    for attempt in range(1, _ATTEMPTS + 1):
        found |= _ask(cloudwatch, wanted, start, end)
        wanted = [query for query in wanted if found[query.identifier].problem]
        if not wanted or attempt == _ATTEMPTS:
            break
        sleep(_PAUSE_S * attempt)
    return found


def read_complete(
    cloudwatch: "CloudWatchClient",
    queries: Sequence[MetricQuery],
    start: datetime,
    end: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, dict[datetime, float]]:
    """Return the points of every query by time; raise MetricsUnreadable if one of them is not complete."""
    found = read_points(cloudwatch, queries, start, end, sleep)
    problems = [
        f"{query.metric}: {found[query.identifier].problem}" for query in queries if found[query.identifier].problem
    ]
    if problems:
        raise MetricsUnreadable(f"CloudWatch could not read {'; '.join(dict.fromkeys(problems))}")
    return {name: points.by_time() for name, points in found.items()}


def _ask(
    cloudwatch: "CloudWatchClient", queries: Sequence[MetricQuery], start: datetime, end: datetime
) -> dict[str, MetricPoints]:
    found = {query.identifier: MetricPoints(problem="no answer") for query in queries}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[query.request() for query in queries],
        StartTime=start,
        EndTime=end,
        ScanBy="TimestampAscending",
        PaginationConfig={"PageSize": POINTS_PER_PAGE},
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            points = found[result["Id"]]
            points.times += result["Timestamps"]
            points.values += result["Values"]
            # The last page that holds the series tells.
            points.problem = _problem(result)
    for points in found.values():
        if points.problem:
            points.times, points.values = [], []
    return found


def _problem(result: "MetricDataResultTypeDef") -> str:
    status = result.get("StatusCode", "Complete")
    if status == "Complete":
        return ""
    messages = ", ".join(
        f"{one.get('Code', '')} {one.get('Value', '')}".strip() for one in result.get("Messages") or ()
    )
    return f"{status} ({messages})" if messages else status
