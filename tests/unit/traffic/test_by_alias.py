"""The traffic of a function is that of its alias: not of $LATEST, of other aliases, or of calls by version."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from optimizer.core.clock import minute_of
from optimizer.traffic.by_alias import AliasReading, read_by_alias
from optimizer.traffic.history import History, Series, alias_of
from optimizer.traffic.stored import StoredTraffic

NOW = datetime(2026, 11, 30, 6, 30, tzinfo=UTC)
END = minute_of(NOW)
DAY = 24 * 60


@dataclass
class Counted:
    """CloudWatch with so many calls in each minute of the last days: (calls, days), by Resource or function name."""

    calls: dict[str, tuple[float, int]]
    asked: list[str] = field(default_factory=list)

    def get_paginator(self, _name: str) -> "Counted":
        return self

    def paginate(
        self,
        *,
        MetricDataQueries: list[Any],  # noqa: N803
        StartTime: datetime,  # noqa: N803
        EndTime: datetime,  # noqa: N803
        **_: Any,
    ) -> Iterator[Any]:
        yield {"MetricDataResults": [self._result(query, StartTime, EndTime) for query in MetricDataQueries]}

    def _result(self, query: Any, start: datetime, end: datetime) -> dict[str, Any]:
        stat = query["MetricStat"]
        dimensions = {one["Name"]: one["Value"] for one in stat["Metric"]["Dimensions"]}
        whose = dimensions.get("Resource", dimensions.get("FunctionName", ""))
        assert not whose or whose.partition(":")[0] == dimensions["FunctionName"]
        self.asked.append(whose)
        calls, days = self.calls.get(whose, (0.0, 0))
        step = stat["Period"] // 60
        first = -(-max(minute_of(start), END - days * DAY) // step) * step
        minutes = range(first, minute_of(end), step) if calls else range(0)
        value = {"Invocations": calls * step, "Duration": 100.0, "ConcurrentExecutions": 1.0}
        return {
            "Id": query["Id"],
            "Timestamps": [datetime.fromtimestamp(minute * 60, UTC) for minute in minutes],
            "Values": [value.get(stat["Metric"]["MetricName"], 0.0)] * len(minutes),
            "StatusCode": "Complete",
        }


def read(
    metrics: Counted, stored: StoredTraffic | None = None, *, aliases: tuple[str, ...] = ("live",)
) -> tuple[AliasReading, list[tuple[str, str]]]:
    """Return the reading of `orders` behind `live`, and for which aliases it was asked if they are there."""
    asked: list[tuple[str, str]] = []

    def has_alias(name: str, alias: str) -> bool:
        asked.append((name, alias))
        return alias in aliases

    known = stored or StoredTraffic(History.empty())
    cloudwatch: Any = metrics
    return read_by_alias(cloudwatch, {"orders": (known, "live")}, END, has_alias)["orders"], asked


def calls_of(found: AliasReading) -> Any:
    assert isinstance(found.new, History)
    return found.new.minutes.values["invocations"]


@pytest.mark.parametrize("others", [{}, {"orders": (50.0, 63)}, {"orders": (57.0, 63), "orders:blue": (7.0, 63)}])
def test_calls_of_an_alias_are_told_from_all_others(others: dict[str, tuple[float, int]]) -> None:
    """A batch job on $LATEST and a sibling alias are no traffic of the alias that is looked after."""
    metrics = Counted({"orders:live": (2.0, 63)} | others)
    found, asked = read(metrics)
    assert (found.alias, set(calls_of(found).tolist())) == ("live", {2.0})
    # Metrics of the whole function would cost as much again.
    assert set(metrics.asked) == {"", "orders:live"}
    assert not asked


def test_alias_without_calls_has_none_of_the_function() -> None:
    found, asked = read(Counted({"orders": (50.0, 63)}))
    assert (found.alias, asked) == ("live", [("orders", "live")])
    assert np.isnan(calls_of(found)).all()


def test_nothing_is_known_before_the_first_call_of_an_alias() -> None:
    """The alias was made two days ago; what $LATEST did before is not known of the alias."""
    found, _ = read(Counted({"orders": (50.0, 63), "orders:live": (2.0, 2)}))
    calls = calls_of(found)
    assert np.isnan(calls[: -2 * DAY]).all()
    assert set(calls[-2 * DAY + 60 :].tolist()) == {2.0}


def test_all_calls_count_without_the_alias() -> None:
    found, _ = read(Counted({"orders": (50.0, 63)}), aliases=())
    assert (found.alias, set(calls_of(found).tolist())) == ("$LATEST", {50.0})


def _history(calls: float, days: int, end: int = END) -> History:
    first = end // 60 * 60 - days * DAY
    minutes = {
        metric: np.full(end - first, value) for metric, value in (("invocations", calls), ("duration_ms", 100.0))
    }
    hours = {
        metric: np.full(days * 24, value) for metric, value in (("invocations", calls * 60), ("duration_ms", 100.0))
    }
    counts = {"concurrency": 1.0, "p95_duration_ms": 180.0, "errors": 0.0, "throttles": 0.0}
    return History(
        Series(first, minutes | {"concurrency": np.full(end - first, 1.0)}),
        Series(first // 60, hours | {metric: np.full(days * 24, value) for metric, value in counts.items()}),
    )


@pytest.mark.parametrize("alias", ["", "blue"])
def test_history_of_other_calls_is_read_anew(alias: str) -> None:
    """Of all calls of the function, as releases before stored it, or of the alias that was looked after before."""
    found, _ = read(Counted({"orders:live": (2.0, 63)}), StoredTraffic(_history(50.0, 14), alias))
    assert len(found.before.minutes) == 0
    assert found.window.end_minute - found.window.first_minute > 14 * DAY
    assert set(calls_of(found).tolist()) == {2.0}


def test_next_day_reads_the_new_points_of_the_alias() -> None:
    before = _history(2.0, 14, END - DAY)
    found, _ = read(Counted({"orders:live": (2.0, 63)}), StoredTraffic(before, "live"))
    assert found.before is before
    assert found.window.end_minute - found.window.first_minute < DAY + 5 * 60


@pytest.mark.parametrize(("aliases", "alias"), [((), "$LATEST"), (("live",), "live")])
def test_alias_that_appears_is_read_from_then_on(aliases: tuple[str, ...], alias: str) -> None:
    metrics = Counted({"orders": (50.0, 63)})
    found, asked = read(metrics, StoredTraffic(_history(50.0, 14, END - DAY), "$LATEST"), aliases=aliases)
    assert (found.alias, asked) == (alias, [("orders", "live")])
    assert (len(found.before.minutes) > 0) is (alias == "$LATEST")
    assert ("orders:live" in metrics.asked) is (alias == "live")


def test_old_pings_are_no_calls_of_the_alias() -> None:
    """Records of pings are kept for 30 days; the history of all calls, which is read anew once, knew the older ones."""
    cleaned = _history(1.0, 63)
    pinged = slice(100, 200)
    cleaned.hours.values["invocations"][pinged] = 30.0
    cleaned.hours.values["concurrency"][pinged] = np.nan
    found, _ = read(Counted({"orders:live": (1.0, 63)}), StoredTraffic(cleaned))
    assert isinstance(found.new, History)
    hours = found.merged(found.new).hours
    at = np.arange(100, 200) + cleaned.hours.start - hours.start
    assert set(hours.values["invocations"][at].tolist()) == {30.0}
    assert np.isnan(hours.values["concurrency"][at]).all()
    others = np.delete(hours.values["invocations"], at)
    # The hours of the last 15 days come from their minutes.
    assert set(others[4 : -15 * 24].tolist()) == {60.0}


@pytest.mark.parametrize("alias", ["live", "$LATEST", ""])
def test_stored_history_tells_its_alias(alias: str) -> None:
    content = _history(1.0, 1).to_bytes(alias)
    assert alias_of(content) == alias
    assert History.from_bytes(content).end_minute == END
