"""Throttles of functions are those of the account, as long as there are none."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from optimizer.core.clock import minute_of
from optimizer.traffic.cloudwatch_history import missing_window, read_missing
from optimizer.traffic.history import History

NOW = datetime(2026, 11, 30, 6, 30, tzinfo=UTC)
FUNCTIONS = ("invoices", "orders")
CALLED = frozenset({3, 4})


class Metrics:
    """CloudWatch with functions that are called in some hours of today. throttled: the account's throttles by hour."""

    def __init__(self, throttled: dict[int, float], status: str = "Complete") -> None:
        self.throttled, self.status = throttled, status
        self.asked: list[tuple[str, str]] = []

    def get_paginator(self, _name: str) -> "Metrics":
        return self

    def paginate(self, *, MetricDataQueries: list[Any], **_: Any) -> Iterator[Any]:  # noqa: N803
        yield {"MetricDataResults": [self._result(query) for query in MetricDataQueries]}

    def _result(self, query: Any) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        whose = next((one["Value"] for one in metric["Dimensions"]), "account")
        self.asked.append((whose, metric["MetricName"]))
        known = dict.fromkeys(CALLED, 1.0)
        if metric["MetricName"] == "Throttles":
            known = self.throttled if whose in ("account", "orders") else dict.fromkeys(CALLED, 0.0)
        today = NOW.replace(hour=0, minute=0)
        return {
            "Id": query["Id"],
            "Timestamps": [today + timedelta(hours=hour) for hour in known],
            "Values": list(known.values()),
            "StatusCode": self.status if whose == "account" else "Complete",
        }


def read(metrics: Any) -> dict[str, list[float]]:
    """Return the throttles of each function by the hour of today."""
    window = missing_window(History.empty(), minute_of(NOW))
    found = dict(read_missing(metrics, dict.fromkeys(FUNCTIONS, window)))
    throttles = {}
    for name, history in found.items():
        assert isinstance(history, History)
        throttles[name] = history.hours.values["throttles"][-6:].tolist()
    return throttles


def test_no_function_is_asked_while_no_call_is_throttled() -> None:
    metrics = Metrics(dict.fromkeys(range(6), 0.0))
    throttles = read(metrics)
    expected = [0.0 if hour in CALLED else np.nan for hour in range(6)]
    for name in FUNCTIONS:
        np.testing.assert_array_equal(throttles[name], expected)
    assert [whose for whose, metric in metrics.asked if metric == "Throttles"] == ["account"]


@pytest.mark.parametrize(
    ("throttled", "status"),
    [({3: 0.0, 4: 7.0}, "Complete"), ({}, "Complete"), ({3: 0.0, 4: 7.0}, "InternalError")],
    ids=["some", "not known", "unreadable"],
)
def test_functions_are_asked_where_the_account_is_unclear(
    throttled: dict[int, float], status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimizer.aws.cloudwatch._PAUSE_S", 0.0)
    metrics = Metrics(throttled, status)
    throttles = read(metrics)
    assert {whose for whose, metric in metrics.asked if metric == "Throttles"} == {"account", *FUNCTIONS}
    np.testing.assert_array_equal(throttles["orders"], [throttled.get(hour, np.nan) for hour in range(6)])
    np.testing.assert_array_equal(throttles["invoices"], [0.0 if hour in CALLED else np.nan for hour in range(6)])
