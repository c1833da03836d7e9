"""One reader of metrics: pages are joined, and what CloudWatch could not read is unknown, never zero."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from optimizer.aws.cloudwatch import MetricQuery, MetricsUnreadable, read_complete, read_points

START = datetime(2026, 11, 2, tzinfo=UTC)
END = START + timedelta(hours=1)
CALLS, ERRORS = (
    MetricQuery(name.lower(), "AWS/Lambda", name, "Sum", 60, {"FunctionName": "orders", "Resource": "orders:live"})
    for name in ("Invocations", "Errors")
)


def result(identifier: str, minutes: Sequence[int], status: str | None = "Complete") -> dict[str, Any]:
    times = [START + timedelta(minutes=minute) for minute in minutes]
    made = {"Id": identifier, "Timestamps": times, "Values": [float(minute) for minute in minutes]}
    return made | ({"StatusCode": status} if status else {})


class CloudWatch:
    """Answers with the pages of each attempt, in turn; the last one again and again."""

    def __init__(self, *attempts: list[list[dict[str, Any]]]) -> None:
        self.attempts = list(attempts)
        self.requests: list[dict[str, Any]] = []
        self.pauses_s: list[float] = []

    def get_paginator(self, name: str) -> "CloudWatch":
        assert name == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> Iterable[dict[str, Any]]:
        self.requests.append(request)
        asked = {query["Id"] for query in request["MetricDataQueries"]}
        pages = self.attempts.pop(0) if len(self.attempts) > 1 else self.attempts[0]
        for page in pages:
            yield {"MetricDataResults": [one for one in page if one["Id"] in asked]}

    def read(self, *queries: MetricQuery) -> Any:
        return read_points(self, queries, START, END, self.pauses_s.append)  # type: ignore[arg-type]

    def read_complete(self, *queries: MetricQuery) -> Any:
        return read_complete(self, queries, START, END, self.pauses_s.append)  # type: ignore[arg-type]


def test_pages_of_a_series_are_joined() -> None:
    cloudwatch = CloudWatch(
        [[result("invocations", [0, 1], "PartialData")], [result("invocations", [2]), result("errors", [])]]
    )
    found = cloudwatch.read_complete(CALLS, ERRORS)
    assert list(found["invocations"].values()) == [0.0, 1.0, 2.0]
    assert found["errors"] == {}
    assert cloudwatch.pauses_s == []


def test_the_request_names_every_dimension() -> None:
    cloudwatch = CloudWatch([[result("invocations", [])]])
    cloudwatch.read(CALLS)
    (query,) = cloudwatch.requests[0]["MetricDataQueries"]
    assert query["MetricStat"]["Metric"]["Dimensions"] == [
        {"Name": "FunctionName", "Value": "orders"},
        {"Name": "Resource", "Value": "orders:live"},
    ]
    assert (cloudwatch.requests[0]["StartTime"], cloudwatch.requests[0]["EndTime"]) == (START, END)


@pytest.mark.parametrize("status", ["InternalError", "Forbidden", "PartialData"])
def test_an_incomplete_series_is_unknown_not_zero(status: str) -> None:
    cloudwatch = CloudWatch([[result("invocations", [0, 1]), result("errors", [1], status)]])
    found = cloudwatch.read(CALLS, ERRORS)
    assert (found["errors"].problem, found["errors"].values) == (status, [])
    assert (found["invocations"].problem, found["invocations"].values) == ("", [0.0, 1.0])
    with pytest.raises(MetricsUnreadable, match=f"Errors: {status}"):
        cloudwatch.read_complete(CALLS, ERRORS)


def test_only_incomplete_series_are_asked_for_again() -> None:
    cloudwatch = CloudWatch(
        [[result("invocations", [0]), result("errors", [], "InternalError")]], [[result("errors", [3])]]
    )
    found = cloudwatch.read_complete(CALLS, ERRORS)
    assert list(found["errors"].values()) == [3.0]
    assert [len(request["MetricDataQueries"]) for request in cloudwatch.requests] == [2, 1]
    assert cloudwatch.pauses_s == [1.0]


def test_a_series_without_any_answer_is_unknown() -> None:
    cloudwatch = CloudWatch([[result("invocations", [0])]])
    with pytest.raises(MetricsUnreadable, match="Errors: no answer"):
        cloudwatch.read_complete(CALLS, ERRORS)
