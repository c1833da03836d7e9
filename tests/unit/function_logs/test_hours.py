"""Calls of a busy function are read as one row an hour, version, size and status."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.function_logs.coverage import hour_of
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.hours import LeftOut, LoggedHours, MalformedHour, hourly_query, hours_of, read_hours
from optimizer.function_logs.parse import LoggedReport, LogSource, ReportLine
from optimizer.function_logs.sketch import Sketch

AT = datetime(2026, 11, 21, 5, tzinfo=UTC)
OWN = LogSource("/aws/lambda/orders", "orders")
ROW = {
    "hour": "2026-11-21 05:00:00.000", "version": "7", "mb": "1024", "status": "success", "calls": "100",
    "impossible": "0", "malformed": "0", "full": "0",
    "usedMb": "90.0", "msSum": "2000", "msSquares": "41000", "ms0": "10", "ms5": "12", "ms25": "15", "ms50": "20",
    "ms75": "24", "ms90": "28", "ms95": "29", "ms99": "30", "ms100": "31", "inits": "0",
}  # fmt: skip
INITS = {"inits": "2", "initSum": "300", "initSquares": "50000", "init0": "100", "init50": "150", "init95": "200"}


def test_row_is_an_hour_of_calls() -> None:
    (hour,) = read_hours([{**ROW, **INITS, "init100": "200"}], OWN).hours
    size = hour.size
    assert (hour.at, hour.version, size.memory_mb, size.calls) == (AT, "7", 1024, 100)
    assert (size.max_memory_used_mb, size.durations.count, size.durations.mean) == (90, 100, 20.0)
    assert (size.inits.count, size.inits.mean) == (2, 150.0)
    assert size.durations.quantile(0.5) == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize(("status", "timeouts", "errors"), [("timeout", 100, 0), ("error", 0, 100)])
def test_calls_that_failed_have_no_duration(status: str, timeouts: int, errors: int) -> None:
    (hour,) = read_hours([{**ROW, "status": status}], OWN).hours
    assert (hour.size.timeouts, hour.size.errors, hour.size.durations.count) == (timeouts, errors, 0)


@pytest.mark.parametrize(
    ("status", "full", "out_of_memory"),
    [("error", "1", 100), ("error", "0", 0), ("failure", "true", 100), ("timeout", "1", 0), ("success", "1", 0)],
)
def test_errors_with_all_memory_used_ran_out_of_memory(status: str, full: str, out_of_memory: int) -> None:
    (hour,) = read_hours([{**ROW, "status": status, "full": full}], OWN).hours
    assert hour.size.out_of_memory == out_of_memory


@pytest.mark.parametrize(
    "change",
    [
        {"msSum": "many"},
        {"calls": "0"},
        {"mb": "nan"},
        {"usedMb": "inf"},
        {"hour": "soon"},
        {"ms50": "-1"},
        {"impossible": "2"},
    ],
)
def test_row_without_its_figures_is_an_error(change: dict[str, str]) -> None:
    with pytest.raises(MalformedHour):
        read_hours([{**ROW, **change}], OWN)
    missing = {name: value for name, value in ROW.items() if name not in change}
    with pytest.raises(MalformedHour):
        read_hours([missing], OWN)


def test_query_leaves_neighbours_out_and_rows_without_version_too() -> None:
    assert "@logStream like" not in hourly_query(OWN)
    shared = LogSource("/shop/api", "orders")
    assert r"filter @logStream like /\/orders\[/" in hourly_query(shared)
    row = {name: value for name, value in ROW.items() if name != "version"}
    assert read_hours([row], shared) == LoggedHours([], LeftOut(foreign=100))
    assert [hour.version for hour in read_hours([row], OWN).hours] == [""]


@pytest.mark.parametrize(
    ("change", "left_out"),
    [
        ({"impossible": "1"}, LeftOut(impossible=100)),
        ({"impossible": "true", "malformed": "true"}, LeftOut(malformed=100)),
        ({"mb": "64"}, LeftOut(impossible=100)),
        ({"mb": "20480"}, LeftOut(impossible=100)),
    ],
)
def test_lines_that_no_call_wrote_are_counted_and_left_out(change: dict[str, str], left_out: LeftOut) -> None:
    found = read_hours([ROW, {**ROW, **change}], OWN)
    assert (len(found.hours), found.left_out) == (1, left_out)


@given(st.integers(1, 3000), st.floats(0.05, 1.0), st.floats(1.0, 8.0))
@settings(max_examples=40, deadline=None)
def test_quantiles_give_back_the_durations(count: int, spread: float, level: float) -> None:
    values = np.exp(np.random.default_rng(count).normal(level, spread, count))
    shares = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
    points: Any = list(zip(shares, np.quantile(values, shares).tolist(), strict=True))
    sketch = Sketch.of_quantiles(count, float(values.sum()), float((values**2).sum()), points)
    assert sum(sketch.bins.values()) == sketch.count == count
    assert sketch.mean == pytest.approx(values.mean())
    if count >= 400:
        for share in (0.25, 0.5, 0.75, 0.9, 0.95):
            assert sketch.quantile(share) == pytest.approx(np.quantile(values, share), rel=0.06)


def test_hours_of_lines_are_added_up_as_lines_are() -> None:
    lines = [
        LoggedReport(AT + timedelta(minutes=7 * n), str(n % 2), ReportLine("1", 20.0 + n, 21, 512, 90 + n, init_ms=5.0))
        for n in range(40)
    ]
    by_line = FunctionHistory().add(lines, AT + timedelta(hours=9), AT)
    window = (hour_of(AT), hour_of(AT) + 9)
    by_hour = FunctionHistory().add_hours(hours_of(lines), window, 0.0)
    assert by_hour.hours_read == by_line.hours_read == tuple(range(*window))
    assert by_hour.read_until == by_line.read_until
    one, other = by_hour.sizes[512], by_line.sizes[512]
    assert (one.calls, one.durations.bins, one.inits.bins, one.versions) == (
        other.calls, other.durations.bins, other.inits.bins, other.versions,
    )  # fmt: skip
    assert by_hour.add_hours(hours_of(lines), window, 0.0).sizes == by_hour.sizes


def test_runs_in_the_middle_of_an_hour_leave_no_hour_out() -> None:
    """Where one run ends reading, the next one begins: together they read the hour as a whole."""
    at = AT.replace(minute=20)
    history = FunctionHistory().add([], at, at - timedelta(hours=5))
    history = history.add([], at + timedelta(hours=4), at)
    assert history.hours_read == tuple(range(hour_of(at) - 4, hour_of(at) + 4))
    assert FunctionHistory().add([], at, None).hours_read == ()


def test_hours_tell_cold_starts_as_far_back_as_none_is_missing() -> None:
    first = hour_of(AT)
    lines = [
        LoggedReport(AT + timedelta(hours=n, minutes=5), "7", ReportLine("1", 20.0, 21, 512, 90, init_ms=5.0))
        for n in range(4)
    ]
    history = FunctionHistory().add_hours(hours_of(lines), (first + 2, first + 4), 0.0)
    assert (history.cold_since, history.cold_hours) == (first + 2, {first + 2: 1, first + 3: 1})
    history = history.add_hours(hours_of(lines), (first, first + 1), 0.0)
    assert (history.cold_since, history.cold_hours) == (first + 2, {first + 2: 1, first + 3: 1})
