"""The minutes of CloudWatch that an observation compares."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from optimizer.capacity.measure import Measure

NINE = datetime(2026, 11, 16, 9, tzinfo=UTC)


class CloudWatch:
    """A hundred calls of 50 ms in every minute; remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[datetime, datetime]] = []

    def get_paginator(self, _operation: str) -> "CloudWatch":
        return self

    def paginate(self, **request: Any) -> Iterator[Any]:
        start, end = request["StartTime"], request["EndTime"]
        self.asked.append((start, end))
        results = []
        for query in request["MetricDataQueries"]:
            period = timedelta(seconds=query["MetricStat"]["Period"])
            value = 100.0 if query["MetricStat"]["Stat"] == "SampleCount" else 50.0
            times = [start + n * period for n in range((end - start) // period)]
            results.append({"Id": query["Id"], "Timestamps": times, "Values": [value] * len(times)})
        yield {"MetricDataResults": results}


@pytest.mark.parametrize(
    ("start", "end", "first", "minutes"),
    [
        (NINE, NINE + timedelta(minutes=60), NINE, 60),
        # The calls of a minute in which the change was made may have come before it.
        (NINE + timedelta(seconds=1), NINE + timedelta(minutes=60), NINE + timedelta(minutes=1), 59),
        (NINE + timedelta(microseconds=1), NINE + timedelta(minutes=60, seconds=30), NINE + timedelta(minutes=1), 59),
        # Something must be asked for.
        (NINE + timedelta(seconds=5), NINE + timedelta(seconds=20), NINE + timedelta(minutes=1), 1),
    ],
)
def test_observation_begins_with_a_whole_minute(start: datetime, end: datetime, first: datetime, minutes: int) -> None:
    cloudwatch: Any = CloudWatch()
    comparison = Measure(cloudwatch).versions("orders", "live", "1", "2", start, end, 1.1, 0.1)
    assert cloudwatch.asked == [(first, first + timedelta(minutes=minutes))] * 2
    assert len(comparison.new.minutes) == len(comparison.old.minutes) == minutes
    assert comparison.usual is None


def test_days_are_compared_by_the_same_minutes_of_the_week_before() -> None:
    cloudwatch: Any = CloudWatch()
    start = NINE + timedelta(seconds=30)
    comparison = Measure(cloudwatch).days("orders", "live", start, start + timedelta(hours=1), 1.1)
    first = NINE + timedelta(minutes=1)
    assert [asked[0] for asked in cloudwatch.asked] == [first, first - timedelta(days=7), NINE - timedelta(days=42)]
    assert comparison.usual is not None


@pytest.mark.parametrize(("days", "weeks"), [(1, 1), (7, 1), (8, 2), (14, 2)])
def test_old_side_of_days_lies_before_the_change(days: int, weeks: int) -> None:
    """However long the observation, none of its own hours count as the time before."""
    cloudwatch: Any = CloudWatch()
    comparison = Measure(cloudwatch).days("orders", "live", NINE, NINE + timedelta(days=days), 1.1)
    (new, old, past) = cloudwatch.asked
    assert new == (NINE, NINE + timedelta(days=days))
    assert old == (NINE - timedelta(weeks=weeks), NINE - timedelta(weeks=weeks) + timedelta(days=days))
    assert old[1] <= NINE
    assert past == (NINE - timedelta(days=42), NINE)
    assert len(comparison.new.minutes) == len(comparison.old.minutes) == days * 24


def test_medians_are_measured_of_longer_parts_than_minutes() -> None:
    cloudwatch: Any = CloudWatch()
    comparison = Measure(cloudwatch).versions("orders", "live", "1", "2", NINE, NINE + timedelta(hours=6), 1.1, 0.1)
    assert len(comparison.new.minutes) == 360
    assert [(part.calls, part.median_ms) for part in comparison.new.parts] == [(100.0, 50.0)] * 24
