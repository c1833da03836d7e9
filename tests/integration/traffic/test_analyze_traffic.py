"""Reading CloudWatch into the history in S3, against a CloudWatch that answers from arrays.

moto's own GetMetricData takes minutes for two weeks of minutes and knows no percentiles; every request is held
against the service's model instead.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from optimizer.core import Warmed
from optimizer.core.clock import minute_of, moment_of
from optimizer.core.ping import Warmup
from optimizer.store.documents import Documents
from optimizer.store.pings import PingLog
from optimizer.traffic.analyze import analyze_batch
from optimizer.traffic.cloudwatch_history import FAILURES_IN_A_ROW
from optimizer.traffic.stored import stored_history

from tests.helpers.own_account import BUCKET, load_handler, own_account, sample_event

NOW = datetime(2026, 11, 20, 6, 17, 30, tzinfo=UTC)
FIRST = minute_of(NOW) - 70 * 1440
BURSTS = {"Invocations", "ConcurrentExecutions"}


# A metric without dimensions is that of all functions of the account and Region together.
ACCOUNT = ""


def function_of(query: Any) -> str:
    return next((one["Value"] for one in query["MetricStat"]["Metric"]["Dimensions"]), ACCOUNT)


class ArrayCloudWatch:
    """get_metric_data over per-minute calls by function name; duration 100 ms, and `concurrency` environments in each
    minute."""

    def __init__(self, calls: dict[str, Any], concurrency: float = 3.0) -> None:
        self.calls = calls
        self.concurrency = concurrency
        self.requests: list[dict[str, Any]] = []
        self.throttled: set[str] = set()
        # Status codes by function and metric: such a result has no points.
        self.unreadable: dict[tuple[str, str], str] = {}
        self._model = boto3.client("cloudwatch", "us-east-1").meta.service_model.operation_model("GetMetricData")

    def get_paginator(self, name: str) -> "ArrayCloudWatch":
        assert name == "get_metric_data"
        return self

    def paginate(self, PaginationConfig: dict[str, int] | None = None, **request: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        page = (PaginationConfig or {}).get("PageSize", 500)
        assert validate_parameters({**request, "MaxDatapoints": page}, self._model.input_shape) is None
        queries = request["MetricDataQueries"]
        assert len(queries) <= 500
        assert page <= 100_800
        self.requests.append(request)
        names = {function_of(query) for query in queries}
        if names & self.throttled:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "GetMetricData")
        results = [self._result(query, request["StartTime"], request["EndTime"]) for query in queries]
        # CloudWatch answers in pages, each with a part of every metric.
        codes = {query["Id"]: self._code(query) for query in queries}
        for part in (0, 1):
            yield {
                "MetricDataResults": [
                    {"Id": i, "Timestamps": stamps[part::2], "Values": values[part::2], "StatusCode": codes[i]}
                    for i, stamps, values in results
                ]
            }

    def _code(self, query: Any) -> str:
        return self.unreadable.get((function_of(query), query["MetricStat"]["Metric"]["MetricName"]), "Complete")

    def _result(self, query: Any, start: datetime, end: datetime) -> tuple[str, list[datetime], list[float]]:
        stat = query["MetricStat"]
        metric, period = stat["Metric"]["MetricName"], stat["Period"] // 60
        calls = (
            sum(self.calls.values(), np.zeros(71 * 1440))
            if function_of(query) == ACCOUNT
            else self.calls.get(function_of(query))
        )
        if calls is None or self._code(query) in ("InternalError", "Forbidden"):
            return query["Id"], [], []
        first, last = minute_of(start) - FIRST, minute_of(end) - FIRST
        assert (minute_of(start) * 60) % stat["Period"] == 0
        block = calls[first:last][: (last - first) // period * period].reshape(-1, period).sum(1)
        value = {
            ("Invocations", "Sum"): block,
            ("Duration", "Average"): np.full(len(block), 100.0),
            ("Duration", "p95"): np.full(len(block), 180.0),
            ("ConcurrentExecutions", "Maximum"): np.full(len(block), self.concurrency),
            ("Errors", "Sum"): block * 0.01,
            ("Throttles", "Sum"): block * 0.0,
        }[metric, stat["Stat"]]
        called = np.flatnonzero(block > 0)
        stamps = [start + timedelta(minutes=int(i) * period) for i in called]
        return query["Id"], stamps, value[called].tolist()


def target(name: str) -> dict[str, Any]:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    return {
        "function_name": name,
        "function_arn": arn,
        "alias": "live",
        "timezone": "Europe/Berlin",
        "warmup_ready": True,
        "tags": {},
    }


def daily(seed: int = 1) -> Any:
    minutes = FIRST + np.arange(71 * 1440)
    rate = np.clip(8 * np.sin((minutes % 1440 - 300) / 1440 * 2 * np.pi), 0, None)
    return np.random.default_rng(seed).poisson(rate).astype(float)


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> Iterator[Documents]:
    with own_account(monkeypatch):
        yield Documents(boto3.client("s3"), BUCKET)


@pytest.fixture
def log(documents: Documents) -> PingLog:
    return PingLog(boto3.client("dynamodb"), documents.bucket)


def test_the_first_run_reads_15_days_of_minutes_and_63_of_hours(documents: Documents, log: PingLog) -> None:
    calls = daily()
    analyze_batch(ArrayCloudWatch({"orders": calls}), documents, log, [target("orders")], NOW)  # type: ignore[arg-type]
    history = stored_history(documents, "orders")
    end = minute_of(NOW) - 3
    assert history.end_minute == end
    assert history.minutes.start == -(-(minute_of(NOW) - 15 * 1440) // 60) * 60
    np.testing.assert_array_equal(
        history.minutes.values["invocations"], calls[history.minutes.start - FIRST : end - FIRST]
    )
    hours = history.hours
    assert len(hours) >= 63 * 24 - 1
    expected = calls[hours.start * 60 - FIRST : hours.end * 60 - FIRST].reshape(-1, 60).sum(1)
    np.testing.assert_allclose(hours.values["invocations"], expected)


def test_next_day_reads_one_day_and_the_late_hours(documents: Documents, log: PingLog) -> None:
    """The second run reads one day and the hours whose points may have been late."""
    cloudwatch: Any = ArrayCloudWatch({"orders": daily()})
    analyze_batch(cloudwatch, documents, log, [target("orders")], NOW - timedelta(days=1))
    cloudwatch.requests.clear()
    analyze_batch(cloudwatch, documents, log, [target("orders")], NOW)
    spans = [request["EndTime"] - request["StartTime"] for request in cloudwatch.requests]
    assert max(spans) <= timedelta(days=1, hours=4)
    once = stored_history(documents, "orders")
    documents.write_bytes("history/orders.npz", b"damaged", "application/octet-stream")
    analyze_batch(cloudwatch, documents, log, [target("orders")], NOW)
    anew = stored_history(documents, "orders")
    for metric, values in once.minutes.values.items():
        both = values[anew.minutes.start - once.minutes.start :]
        np.testing.assert_allclose(both, anew.minutes.values[metric])


def test_run_hours_later_reads_only_those_and_the_late_hours(documents: Documents, log: PingLog) -> None:
    """It reads the hours since the last run and those whose points may have been late."""
    cloudwatch: Any = ArrayCloudWatch({"orders": daily()})
    analyze_batch(cloudwatch, documents, log, [target("orders")], NOW - timedelta(hours=6))
    cloudwatch.requests.clear()
    analyze_batch(cloudwatch, documents, log, [target("orders")], NOW)
    # By the minute, by the hour, and what calls and their duration do not explain by the minute again.
    assert len(cloudwatch.requests) == 3
    points = sum(
        (request["EndTime"] - request["StartTime"]) // timedelta(seconds=query["MetricStat"]["Period"])
        for request in cloudwatch.requests
        for query in request["MetricDataQueries"]
    )
    assert points <= 3 * 60 * (6 + 4) + 3 * (6 + 4)


def test_late_points_replace_what_was_read_before(documents: Documents, log: PingLog) -> None:
    calls = daily()
    late = calls.copy()
    late[minute_of(NOW) - FIRST - 30 :] = 0
    analyze_batch(ArrayCloudWatch({"orders": late}), documents, log, [target("orders")], NOW)  # type: ignore[arg-type]
    analyze_batch(ArrayCloudWatch({"orders": calls}), documents, log, [target("orders")], NOW)  # type: ignore[arg-type]
    read = stored_history(documents, "orders").minutes
    np.testing.assert_array_equal(read.values["invocations"], calls[read.start - FIRST : read.end - FIRST])


def test_a_hundred_functions_share_few_calls(documents: Documents, log: PingLog) -> None:
    names = [f"f{n}" for n in range(100)]
    cloudwatch: Any = ArrayCloudWatch(dict.fromkeys(names, daily()))
    targets = [target(name) for name in names]
    analyze_batch(cloudwatch, documents, log, targets[:1], NOW - timedelta(days=1))
    for name in names[1:]:
        documents.write_bytes(f"history/{name}.npz", documents.read_bytes("history/f0.npz"), "application/octet-stream")
    cloudwatch.requests.clear()
    analyze_batch(cloudwatch, documents, log, targets, NOW)
    # 100 functions x 2 metrics x (1440 + 240) minutes in calls of 100,800 points, and the hourly ones.
    assert len(cloudwatch.requests) <= 7


@pytest.mark.parametrize(("most", "by_the_minute"), [(1.0, {"Invocations"}), (2.0, {"Invocations"}), (3.0, BURSTS)])
def test_concurrency_by_minute_is_read_only_for_bursts(
    documents: Documents, log: PingLog, most: float, by_the_minute: set[str]
) -> None:
    cloudwatch: Any = ArrayCloudWatch({"orders": daily()}, most)
    analyze_batch(cloudwatch, documents, log, [target("orders")], NOW)
    metrics = [query["MetricStat"] for request in cloudwatch.requests for query in request["MetricDataQueries"]]
    assert {metric["Metric"]["MetricName"] for metric in metrics if metric["Period"] == 60} == by_the_minute
    minutes = stored_history(documents, "orders").minutes
    called = minutes.values["invocations"] > 0
    assert (minutes.values["duration_ms"][called] == 100).all()
    whole = called[: len(called) // 60 * 60]
    concurrency = minutes.values["concurrency"][: len(whole)][whole]
    assert concurrency.max() == most
    assert concurrency.min() >= 1


def test_throttled_function_fails_alone_with_one_line(documents: Documents, log: PingLog) -> None:
    cloudwatch: Any = ArrayCloudWatch({"a": daily(1), "b": daily(2)})
    cloudwatch.throttled = {"a"}
    traffic = analyze_batch(cloudwatch, documents, log, [target("a")], NOW)
    assert list(traffic.failed) == ["a"]
    assert "throttling" in traffic.failed["a"]
    assert "\n" not in traffic.failed["a"]
    assert analyze_batch(cloudwatch, documents, log, [target("b")], NOW).functions["b"].days > 14


def test_endless_throttling_fails_the_rest_without_asking(documents: Documents, log: PingLog) -> None:
    """The points that were read before are stored."""
    names = [f"f{number:02d}" for number in range(80)]
    cloudwatch: Any = ArrayCloudWatch({name: daily() for name in names})
    cloudwatch.throttled = set(names[4:])
    traffic = analyze_batch(cloudwatch, documents, log, [target(name) for name in names], NOW)
    asked = [{function_of(query) for query in request["MetricDataQueries"]} for request in cloudwatch.requests]
    assert sum(bool(named & cloudwatch.throttled) for named in asked) == FAILURES_IN_A_ROW
    assert set(traffic.failed) | set(traffic.functions) == set(names)
    assert set(traffic.failed) >= cloudwatch.throttled
    assert all("throttling" in line for line in traffic.failed.values())


def test_own_pings_do_not_count_as_traffic(documents: Documents, log: PingLog) -> None:
    real = daily()
    end = minute_of(NOW) - FIRST
    pinged = [end - 700, end - 90, end - 60, end - 30]
    reported = real.copy()
    for place in pinged:
        reported[place] += 3
        warmup = Warmup("orders", "live", 3, 200, "run", "warmups-1", FIRST + place)
        warmed = Warmed(3, 3, 1, 3, 0, 1.0, 200.0, 1, busy_ms=600.0)
        log.record(warmup, warmed, moment_of(FIRST + place))
    for _ in range(2):
        analyze_batch(ArrayCloudWatch({"orders": reported}), documents, log, [target("orders")], NOW)  # type: ignore[arg-type]
    read = stored_history(documents, "orders").minutes
    np.testing.assert_array_equal(read.values["invocations"], real[read.start - FIRST : read.end - FIRST])
    for place in pinged:
        # Nothing is known of the largest concurrency of real calls among the pings.
        concurrency = read.values["concurrency"][FIRST + place - read.start]
        assert np.isnan(concurrency) if real[place] else concurrency == 0


def test_function_without_metrics_is_no_failure(documents: Documents, log: PingLog) -> None:
    traffic = analyze_batch(ArrayCloudWatch({}), documents, log, [target("new")], NOW)  # type: ignore[arg-type]
    assert traffic.failed == {}
    assert traffic.functions["new"].days == 0


def test_the_handler_answers_with_counts_and_stores_the_traffic(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    monkeypatch.setitem(globals(), "FIRST", minute_of(now) - 70 * 1440)
    event = sample_event("analyze_traffic")
    documents.write(f"runs/{event['run_id']}/batches/{event['batch']}.json", {"functions": [target("orders")]})
    clients = {
        "s3": boto3.client("s3"),
        "dynamodb": boto3.client("dynamodb"),
        "cloudwatch": ArrayCloudWatch({"orders": daily()}),
    }
    app = load_handler("analyze_traffic")
    monkeypatch.setattr(app.clients, "client", clients.__getitem__)
    answer = app.handler(event, None)
    assert answer == {"outcome": "analysed", **event, "functions": 1, "failed": 0}
    stored = documents.read(f"runs/{event['run_id']}/traffic/{event['batch']}.json")
    assert stored["functions"]["orders"]["pattern"] == "daily"
    assert stored["functions"]["orders"]["p95_duration_ms"] == 180.0


@pytest.mark.parametrize("status", ["InternalError", "Forbidden", "PartialData"])
@pytest.mark.parametrize("metric", ["Invocations", "Errors"])
def test_unreadable_metric_is_stored_as_nothing_known(
    documents: Documents, log: PingLog, monkeypatch: pytest.MonkeyPatch, status: str, metric: str
) -> None:
    """CloudWatch answers 200 and says for each metric if it could read it: what it could not is never silence.

    The history stays as it was, the function fails alone with the reason, and the next run closes the gap."""
    monkeypatch.setattr("optimizer.aws.cloudwatch._PAUSE_S", 0.0)
    cloudwatch: Any = ArrayCloudWatch({"orders": daily(), "items": daily(2)})
    targets = [target("orders"), target("items")]
    analyze_batch(cloudwatch, documents, log, targets, NOW - timedelta(days=1))
    before = documents.read_bytes("history/orders.npz")
    cloudwatch.unreadable = {("orders", metric): status}
    traffic = analyze_batch(cloudwatch, documents, log, targets, NOW)
    assert set(traffic.functions) == {"items"}
    assert traffic.failed == {"orders": f"CloudWatch could not read {metric}: {status}"}
    assert documents.read_bytes("history/orders.npz") == before
    cloudwatch.unreadable = {}
    whole = analyze_batch(cloudwatch, documents, log, targets, NOW)
    assert not whole.failed
    read = stored_history(documents, "orders").minutes
    np.testing.assert_array_equal(
        read.values["invocations"], cloudwatch.calls["orders"][read.start - FIRST : read.end - FIRST]
    )
