"""Further REPORT lines are read where they tell something new."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from optimizer.capacity.known_lines import calls_since, is_known_enough
from optimizer.capacity.live_function import LiveFunction, Version
from optimizer.core.clock import minute_of
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.parse import LoggedReport, ReportLine
from optimizer.traffic.history import Series

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def live(memory_mb: int = 1024, version: str = "7") -> LiveFunction:
    of = Version(version, memory_mb, "code", "content", "r", settled=True, failed=False)
    return LiveFunction("orders", "live", version, "", {}, of, of)


def known(calls: int, until: datetime = NOW - DAY) -> FunctionHistory:
    report = ReportLine("1", 50.0, 50.0, 1024, 90)
    lines = [LoggedReport(until - timedelta(minutes=n), "7", report) for n in range(calls)]
    return FunctionHistory().add(lines, until)


@pytest.mark.parametrize(
    ("history", "function", "new_calls", "daily", "weekly"),
    [
        (known(100), live(), 0.0, True, True),
        (known(0), live(), 0.0, True, True),
        (known(100), live(), 20.0, True, False),
        (known(100), live(), 21.0, False, False),
        (known(100), live(version="8"), 1.0, False, False),
        (known(100), live(memory_mb=512), 1.0, False, False),
        (known(100), live(), None, False, False),
        (known(100, NOW - 9 * DAY), live(), 0.0, False, False),
        (FunctionHistory(), live(), 0.0, False, False),
        (known(6000), live(), 1e6, True, False),
    ],
)
def test_lines_are_read_where_they_add_to_what_is_known(
    history: FunctionHistory, function: LiveFunction, new_calls: float | None, daily: bool, weekly: bool
) -> None:
    assert is_known_enough(history, function, NOW, new_calls, is_sizing=False) is daily
    assert is_known_enough(history, function, NOW, new_calls, is_sizing=True) is weekly


def test_calls_are_counted_from_the_minute_of_the_last_reading() -> None:
    start = minute_of(NOW) - 10
    minutes = Series(start, {"invocations": np.array([5.0, np.nan, 1.0, 2.0])})
    assert calls_since(minutes, NOW - timedelta(minutes=9)) == 3.0
    assert calls_since(minutes, NOW - timedelta(minutes=10)) == 8.0
    assert calls_since(minutes, NOW) == 0.0
    assert calls_since(minutes, NOW - timedelta(minutes=11)) is None
    assert calls_since(minutes, None) is None
