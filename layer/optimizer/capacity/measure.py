"""Reads the metrics of a comparison from CloudWatch, with one GetMetricData call (and its pages) a side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from optimizer.aws import CloudWatchClient, MetricQuery, read_complete
from optimizer.capacity import provisioned
from optimizer.capacity.canary import CanaryComparison
from optimizer.capacity.duration_ratios import Minute, Side, part_minutes
from optimizer.capacity.live_function import LATEST
from optimizer.capacity.usual_steps import UsualSteps, usual_steps, weeks_between
from optimizer.core import minute_of, moment_of

if TYPE_CHECKING:
    from optimizer.capacity.provisioned import MeasuredUse, Timetable

_SERIES = (
    ("calls", "Duration", "SampleCount"),
    ("mean", "Duration", "Average"),
    ("errors", "Errors", "Sum"),
    ("throttles", "Throttles", "Sum"),
)
_PARTS = (("part_calls", "SampleCount"), ("part_mean", "Average"), ("part_median", "p50"), ("part_p95", "p95"))
_PERCENTILES = ("p90", "p95", "p99")
_DAY = timedelta(days=1)
_HOUR_MINUTES = 60
# CloudWatch keeps minutes for 15 days, and hours for 15 months.
_PAST = timedelta(days=42)
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
        first = _next(start, 1)
        count = max(1, minute_of(end) - minute_of(first))
        sides = [self._side(_dimensions(function_name, alias, version), first, count, 1) for version in (old, new)]
        return CanaryComparison(sides[0], sides[1], max_slowdown, weight / (1 - weight) if weight < 1 else 1.0)

    def days(
        self, function_name: str, alias: str, start: datetime, end: datetime, max_slowdown: float
    ) -> CanaryComparison:
        """Compare the alias in the window with the same hours in the weeks before, or in the days before if there were
        no calls, and with what was usual before."""
        dimensions = _dimensions(function_name, alias, None)
        step = _HOUR_MINUTES if end - start >= _DAY else 1
        first = _next(start, step)
        count = max(1, (minute_of(end) - minute_of(first)) // step)
        hours = max(1, count * step // _HOUR_MINUTES)
        new = self._side(dimensions, first, count, step)
        old = self._side(dimensions, first - timedelta(weeks=weeks_between(hours)), count, step)
        if not old.calls:
            old = self._side(dimensions, first - timedelta(days=math.ceil(hours / 24)), count, step)
        usual = self._usual(dimensions, start, hours)
        return CanaryComparison(old, new, max_slowdown, 1.0, usual=usual)

    def provisioned(
        self, function_name: str, alias: str, timetable: "Timetable", start: datetime, end: datetime
    ) -> "MeasuredUse":
        """Return the use of a timetable's environments in the window."""
        return provisioned.read_use(self.cloudwatch, function_name, alias, timetable, start, end)

    def _side(self, dimensions: Mapping[str, str], first: datetime, count: int, step: int) -> Side:
        """Return the calls of `count` periods of `step` minutes."""
        minutes = count * step
        last = first + timedelta(minutes=minutes)
        queries = [_query(name, dimensions, metric, statistic, step * 60) for name, metric, statistic in _SERIES]
        # As few periods as possible; CloudWatch aligns them, so their edges may lie slightly outside the window.
        period_s = min(minutes * 60, _LONGEST_PERIOD_S)
        queries += [_query(p, dimensions, "Duration", p, period_s) for p in _PERCENTILES]
        queries.append(_query("each", dimensions, "Duration", "SampleCount", period_s))
        part = max(step, part_minutes(minutes))
        queries += [_query(name, dimensions, "Duration", statistic, part * 60) for name, statistic in _PARTS]
        points = read_complete(self.cloudwatch, queries, first, last)
        return Side(
            minutes=_minutes(points["calls"], points["mean"], _times(first, last, step)),
            errors=sum(points["errors"].values()),
            throttles=sum(points["throttles"].values()),
            p90_ms=_over_all(points["p90"], points["each"]),
            p95_ms=_over_all(points["p95"], points["each"]),
            p99_ms=_over_all(points["p99"], points["each"]),
            parts=_parts(points, _times(_earlier(first, part), last, part)),
        )

    def _usual(self, dimensions: Mapping[str, str], start: datetime, hours: int) -> UsualSteps:
        """Return what was usual up to the change."""
        last = _earlier(start, _HOUR_MINUTES)
        queries = [_query(name, dimensions, "Duration", statistic, 3600) for name, statistic in _PARTS]
        points = read_complete(self.cloudwatch, queries, last - _PAST, last)
        return usual_steps(_parts(points, _times(last - _PAST, last, _HOUR_MINUTES)), hours)


def _next(moment: datetime, step: int) -> datetime:
    """Return the first beginning of a period of `step` minutes that is not before the moment.

    The minute in which the change was applied has calls from before it, possibly a whole burst of them.
    """
    return moment_of(math.ceil(moment.timestamp() / 60 / step) * step)


def _earlier(moment: datetime, step: int) -> datetime:
    return moment_of(minute_of(moment) // step * step)


def _times(first: datetime, last: datetime, step: int) -> list[datetime]:
    count = math.ceil((last - first) / timedelta(minutes=step))
    return [first + timedelta(minutes=number * step) for number in range(count)]


def _minutes(
    calls: Mapping[datetime, float], means: Mapping[datetime, float], times: Sequence[datetime]
) -> tuple[Minute, ...]:
    return tuple(Minute(calls.get(at, 0.0), means.get(at, 0.0) if calls.get(at) else 0.0) for at in times)


def _parts(points: Mapping[str, Mapping[datetime, float]], times: Sequence[datetime]) -> tuple[Minute, ...]:
    found = _minutes(points["part_calls"], points["part_mean"], times)
    medians, tails = points["part_median"], points["part_p95"]
    return tuple(
        replace(part, median_ms=medians.get(at), p95_ms=tails.get(at)) for part, at in zip(found, times, strict=True)
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
