"""Calls of functions that tests describe, as the stand-in of CloudWatch shows them."""

import json
from datetime import UTC, datetime, timedelta

from local_account.callers import Callers, read_callers
from local_account.lambda_metrics import LambdaMetrics

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LIVE = Callers("orders", "live", 20, 100.0, 20, weekdays=(0, 4), first_minute=480, end_minute=540, every_minutes=30)
BATCH = Callers("orders", "", 6, 2000.0, 3)


def points(metric: str, statistic: str, period_s: int = 60, **dimensions: str) -> list[float]:
    """Return the values of a metric on the Friday before."""
    metrics = LambdaMetrics((), lambda _name: (), lambda: (LIVE, BATCH))
    start = NOW - timedelta(days=3)
    named = {"FunctionName": "orders", **dimensions}
    found = metrics.points(metric, named, start, start + timedelta(days=1), period_s, statistic, NOW)
    return found.values.tolist()


def test_metrics_of_an_alias_are_its_own() -> None:
    assert points("Invocations", "Sum", Resource="orders:live") == [20.0, 20.0]
    assert points("ConcurrentExecutions", "Maximum", Resource="orders:live") == [20.0, 20.0]
    assert points("Duration", "p95", Resource="orders:live") == [100.0, 100.0]
    assert points("Invocations", "Sum", 3600, Resource="orders") == [360.0] * 24
    assert points("Invocations", "Sum", Resource="orders:blue") == []


def test_metrics_of_a_function_are_those_of_all_callers() -> None:
    calls = points("Invocations", "Sum")
    assert (len(calls), calls[480], calls[481], calls[510]) == (1440, 26.0, 6.0, 26.0)
    assert points("ConcurrentExecutions", "Maximum")[480:482] == [23.0, 3.0]
    assert points("Errors", "Sum", 86_400) == [0.0]
    assert points("ProvisionedConcurrentExecutions", "Maximum") == []


def test_weekdays_without_calls_have_no_points() -> None:
    assert len(LIVE.minutes(NOW - timedelta(days=7), NOW)) == 2 * 2


def test_callers_are_read_as_they_are_sent() -> None:
    sent = json.dumps([one.document() for one in (LIVE, BATCH)])
    assert read_callers(json.loads(sent)) == (LIVE, BATCH)
