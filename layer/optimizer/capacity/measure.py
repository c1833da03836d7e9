"""Reads the metrics of a comparison from CloudWatch, with one GetMetricData call (and its pages) a side."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from optimizer.aws import CloudWatchClient, MetricQuery, read_complete
from optimizer.capacity import provisioned
from optimizer.capacity.canary import CanaryComparison, Minute, Side
from optimizer.capacity.live_function import LATEST
from optimizer.core import minute_of, moment_of

if TYPE_CHECKING:
    from optimizer.capacity.provisioned import MeasuredUse, Timetable

_SERIES = (
    ("calls", "Duration", "SampleCount"),
    ("mean", "Duration", "Average"),
    ("errors", "Errors", "Sum"),
    ("throttles", "Throttles", "Sum"),
)
_PERCENTILES = ("p90", "p95", "p99")
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
# The longest period that CloudWatch answers for.
_LONGEST_PERIOD_S = 86_400


@dataclass(frozen=True, slots=True)
class Measure:
    """Reads the sides of a comparison: two versions of a function, or a function on two days."""

    cloudwatch: "CloudWatchClient"

    def versions(
        self,
        function_name: str,
        alias: str,
        old: str,
        new: str,
        start: datetime,
        end: datetime,
        max_slowdown: float,
        weight: float,
    ) -> CanaryComparison:
        """Compare two versions behind the alias in the same minutes. weight: the new version's share of the calls."""
        sides = [self._side(_dimensions(function_name, alias, version), start, end) for version in (old, new)]
        return CanaryComparison(sides[0], sides[1], max_slowdown, weight / (1 - weight) if weight < 1 else 1.0)

    def days(
        self, function_name: str, alias: str, start: datetime, end: datetime, max_slowdown: float
    ) -> CanaryComparison:
        """Compare the alias in the window with the same hours a week before, or a day before if there were no calls."""
        dimensions = _dimensions(function_name, alias, None)
        new = self._side(dimensions, start, end)
        old = self._side(dimensions, start - _WEEK, end - _WEEK)
        if not old.calls:
            old = self._side(dimensions, start - _DAY, end - _DAY)
        return CanaryComparison(old, new, max_slowdown, 1.0, together=False)

    def provisioned(
        self, function_name: str, alias: str, timetable: "Timetable", start: datetime, end: datetime
    ) -> "MeasuredUse":
        """Return the use of a timetable's environments in the window."""
        return provisioned.read_use(self.cloudwatch, function_name, alias, timetable, start, end)

    def _side(self, dimensions: Mapping[str, str], start: datetime, end: datetime) -> Side:
        # The minute in which the change was applied has calls from before it, possibly a whole burst of them.
        first = moment_of(math.ceil(start.timestamp() / 60))
        minutes = max(1, minute_of(end) - minute_of(first))
        last = first + timedelta(minutes=minutes)
        queries = [_query(name, dimensions, metric, statistic, 60) for name, metric, statistic in _SERIES]
        # As few periods as possible; CloudWatch aligns them, so their edges may lie slightly outside the window.
        period_s = min(minutes * 60, _LONGEST_PERIOD_S)
        queries += [_query(p, dimensions, "Duration", p, period_s) for p in _PERCENTILES]
        queries.append(_query("each", dimensions, "Duration", "SampleCount", period_s))
        points = read_complete(self.cloudwatch, queries, first, last)
        times = [first + timedelta(minutes=n) for n in range(minutes)]
        calls, mean = points["calls"], points["mean"]
        return Side(
            minutes=tuple(Minute(calls.get(t, 0.0), mean.get(t, 0.0) if calls.get(t) else 0.0) for t in times),
            errors=sum(points["errors"].values()),
            throttles=sum(points["throttles"].values()),
            p90_ms=_over_all(points["p90"], points["each"]),
            p95_ms=_over_all(points["p95"], points["each"]),
            p99_ms=_over_all(points["p99"], points["each"]),
        )


def _dimensions(function_name: str, alias: str, version: str | None) -> dict[str, str]:
    dimensions = {"FunctionName": function_name}
    if alias != LATEST:
        dimensions["Resource"] = f"{function_name}:{alias}"
    return dimensions | ({"ExecutedVersion": version} if version else {})


def _query(name: str, dimensions: Mapping[str, str], metric: str, statistic: str, period_s: int) -> MetricQuery:
    return MetricQuery(name, "AWS/Lambda", metric, statistic, period_s, dimensions)


def _over_all(points: Mapping[datetime, float], calls: Mapping[datetime, float]) -> float | None:
    """Return the mean of the periods weighted by calls, which is close to the quantile of all calls."""
    total = sum(calls.get(at, 0.0) for at in points)
    return sum(value * calls.get(at, 0.0) for at, value in points.items()) / total if total else None
