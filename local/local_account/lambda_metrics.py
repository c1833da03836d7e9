"""Answer for the AWS/Lambda namespace of CloudWatch from the workloads instead of stored points."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from local_account.callers import Callers, samples_of
from local_account.fleet import TargetFunction
from local_account.metrics import METRICS, NO_POINTS, Points, Samples, aggregate, kept_since, samples
from local_account.workload import Routing, Workload

NAMESPACE = "AWS/Lambda"
MOST_QUERIES = 500
MOST_POINTS = 100_800


class InvalidRequest(ValueError):
    """CloudWatch would reject the request with ValidationError; the message is the one to return."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The selection that the dimensions of a metric make: a target, one resource of it (NAME:ALIAS), or one version."""

    target: TargetFunction
    resource: str = ""
    version: str = ""


class LambdaMetrics:
    """GetMetricData, GetMetricStatistics and ListMetrics for the targets.

    `routings(name)` gives the versions that serve a target. `callers()` describes the calls of further functions.
    """

    def __init__(
        self,
        targets: Sequence[TargetFunction],
        routings: Callable[[str], Sequence[Routing]],
        callers: Callable[[], Sequence[Callers]] = tuple,
    ) -> None:
        self._targets = {target.name: target for target in targets}
        self._workloads = {target.name: Workload(target) for target in targets}
        self._routings = routings
        self._callers = callers

    def points(
        self,
        metric: str,
        dimensions: Mapping[str, str],
        start: datetime,
        end: datetime,
        period_s: int,
        statistic: str,
        now: datetime,
    ) -> Points:
        """Return points in [start, end), rising; times after `now` have points too, unknown names have none."""
        first = max(start, kept_since(period_s, now)).timestamp()
        begin = datetime.fromtimestamp(int(first // period_s * period_s), UTC)
        if described := _described(self._callers(), dimensions):
            return aggregate(list(samples_of(metric, described, begin, end)), period_s, statistic)
        scope = self._scope(dimensions)
        if metric not in METRICS or scope is None:
            return NO_POINTS
        pieces = list(self._samples(metric, scope, begin, end))
        return aggregate(pieces, period_s, statistic)

    def list(self, name: str | None, wanted: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        """Return every metric of every target, with the dimensions that Lambda publishes, as ListMetrics does."""
        found = []
        for target in self._targets.values():
            for metric in (name,) if name else METRICS:
                for dimensions in self._dimensions(target, metric):
                    if metric in METRICS and _matches(dimensions, wanted):
                        listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
                        found.append({"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": listed})
        return found

    def _dimensions(self, target: TargetFunction, metric: str) -> Iterator[dict[str, str]]:
        routings = self._routings(target.name)
        provisioned = any(routing.provisioned for routing in routings)
        if metric.startswith("Provisioned") and not provisioned:
            return
        yield {"FunctionName": target.name}
        if target.alias:
            resource = f"{target.name}:{target.alias}"
            yield {"FunctionName": target.name, "Resource": resource}
            for version in sorted({share.version for routing in routings for share in routing.shares}):
                yield {"FunctionName": target.name, "Resource": resource, "ExecutedVersion": version}
        else:
            yield {"FunctionName": target.name, "Resource": target.name}

    def _scope(self, dimensions: Mapping[str, str]) -> Scope | None:
        target = self._targets.get(dimensions.get("FunctionName", ""))
        resource, version = dimensions.get("Resource", ""), dimensions.get("ExecutedVersion", "")
        known = set(dimensions) <= {"FunctionName", "Resource", "ExecutedVersion"}
        if target is None or not known or (version and not resource):
            return None
        own = f"{target.name}:{target.alias}" if target.alias else target.name
        return Scope(target, resource, version) if resource in ("", own) else None

    def _samples(self, metric: str, scope: Scope, start: datetime, end: datetime) -> Iterator[Samples]:
        target = scope.target
        workload, routings = self._workloads[target.name], self._routings(target.name)
        origin = int(target.traffic.start.timestamp()) // 60
        if metric == "ConcurrentExecutions" and not scope.version:
            first, busy = workload.total_concurrency(routings, start, end)
            used = busy > 0
            values = busy[used].astype(np.float64)
            yield Samples(np.flatnonzero(used) + first + origin, np.ones(len(values)), values, values, values)
            return
        for part in workload.parts(routings, start, end):
            if scope.version in ("", part.share.version):
                yield samples(metric, part, origin, target.behaviour.shape, target.timeout_s * 1000.0)


def _described(callers: Sequence[Callers], dimensions: Mapping[str, str]) -> Sequence[Callers]:
    """Return the described callers that the dimensions select; those of a function are all of it."""
    if not set(dimensions) <= {"FunctionName", "Resource"}:
        return ()
    return [
        one
        for one in callers
        if one.function_name == dimensions.get("FunctionName")
        and dimensions.get("Resource", one.resource) == one.resource
    ]


def read_dimensions(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return `[{"Name": n, "Value": v}]` as a dictionary."""
    return {item["Name"]: item["Value"] for item in listed}


def check_period(period_s: int) -> None:
    """Raise InvalidRequest unless CloudWatch has such a period for standard-resolution metrics."""
    if period_s < 60 or period_s % 60:
        raise InvalidRequest(f"Period must be a multiple of 60, not {period_s}.")


def page_token(offset: int) -> str:
    """Return an opaque NextToken for the point at `offset`."""
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def page_offset(token: str | None) -> int:
    """Return the offset in a NextToken; raise InvalidRequest if it is none of ours."""
    try:
        return int(base64.urlsafe_b64decode(token.encode())) if token else 0
    except ValueError as error:
        raise InvalidRequest("Invalid nextToken.") from error


def page(series: Sequence[Points], offset: int, most: int) -> tuple[list[tuple[int, Points, bool]], int | None]:
    """Return at most `most` points from `offset` on, over all series, and the offset of the next page if there is one.

    Each entry is (series number, its points, whether it is complete). Series without points are on the first page.
    """
    found, passed = [], 0
    for number, points in enumerate(series):
        size = len(points.times)
        low, high = max(0, offset - passed), min(size, offset + most - passed)
        if low < high or (size == 0 and offset == 0):
            found.append((number, Points(points.times[low:high], points.values[low:high]), high >= size))
        passed += size
    following = offset + most
    return found, following if following < passed else None


def _matches(dimensions: Mapping[str, str], wanted: Sequence[Mapping[str, str]]) -> bool:
    return all(
        item["Name"] in dimensions and item.get("Value", dimensions[item["Name"]]) == dimensions[item["Name"]]
        for item in wanted
    )
