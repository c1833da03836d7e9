"""The history from REPORT lines, and the window of logs to read."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from optimizer.core import canonical_json
from optimizer.function_logs.history import FunctionHistory, Sketch
from optimizer.function_logs.log_queries import LogGroup
from optimizer.function_logs.parse import LoggedReport, LogSource, ReportLine
from optimizer.function_logs.read import ReportLog, extended_start, window_start

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def line(minutes_ago: float, memory_mb: int = 512, ms: float = 20.0, **values: object) -> LoggedReport:
    report = ReportLine("1", ms, ms, memory_mb, 100, **values)  # type: ignore[arg-type]
    return LoggedReport(NOW - timedelta(minutes=minutes_ago), "7", report)


def test_sketch_keeps_the_mean_and_percentiles_to_one_percent() -> None:
    rng = random.Random(3)
    values = sorted(rng.lognormvariate(4, 1) for _ in range(5000))
    sketch = Sketch().add(values)
    for share in (0.5, 0.95, 0.99):
        assert sketch.quantile(share) == pytest.approx(values[int(share * 5000) - 1], rel=0.011)
    assert sketch.mean == pytest.approx(sum(values) / 5000)
    interval = sketch.mean_interval()
    assert interval.low < sketch.mean < interval.high


def test_sizes_stay_known_in_the_order_in_which_they_ran() -> None:
    history = FunctionHistory().add([line(90, 1024), line(80, 512)], NOW - timedelta(minutes=60))
    history = history.add([line(30, 256)], NOW)
    assert list(history.sizes) == [1024, 512, 256]


def test_a_line_that_was_read_twice_counts_once() -> None:
    lines = [line(30), line(20), line(10)]
    once = FunctionHistory().add(lines, NOW)
    assert once.add(lines, NOW) == once
    assert once.sizes[512].calls == 3


def test_failures_are_counted_without_their_durations() -> None:
    lines = [line(3), line(2, ms=3000.0, status="timeout"), line(1, status="error"), line(1, init_ms=80.0)]
    size = FunctionHistory().add(lines, NOW).sizes[512]
    assert (size.calls, size.timeouts, size.errors, size.durations.count) == (4, 1, 1, 2)
    assert size.inits.mean == 80.0
    assert size.cold_share == 0.25


def test_a_history_is_read_back_as_it_was_stored() -> None:
    history = FunctionHistory().add([line(30, 1024), line(20, init_ms=8.0)], NOW)
    assert FunctionHistory.from_document(json.loads(canonical_json.dumps(history))) == history


def group(stored_mb: float, age: timedelta = timedelta(days=10), retention: timedelta | None = None) -> LogGroup:
    return LogGroup(int(stored_mb * 1_000_000), NOW - age, retention)


@pytest.mark.parametrize(
    ("log_group", "max_mb", "lines_day", "read_until", "window"),
    [
        (group(1000), 200, None, None, timedelta(days=2) / 7),
        (group(1000), 0, None, None, timedelta(0)),
        (group(10), 200, None, None, timedelta(days=14)),
        (group(0), 200, None, None, timedelta(hours=1)),
        (group(1000, timedelta(days=300), timedelta(days=10)), 200, None, None, timedelta(days=2) / 7),
        (group(10), 200, 10_000.0, None, timedelta(days=1)),
        (group(10), 200, None, timedelta(hours=3), timedelta(hours=3)),
    ],
)
def test_scan_window_respects_bytes_rows_and_last_reading(
    log_group: LogGroup, max_mb: int, lines_day: float | None, read_until: timedelta | None, window: timedelta
) -> None:
    """The window stays within the bytes, seven scanned for each stored, within the rows and what is new."""
    read = NOW - read_until if read_until is not None else None
    start = window_start(log_group, NOW, max_mb, lines_day, read)
    assert (NOW - start).total_seconds() == pytest.approx(window.total_seconds())


@pytest.mark.parametrize(
    ("scanned_mb", "max_mb", "reach_h"),
    [(0, 200, 24), (1, 200, 24), (20, 200, 1 + 4.5), (200, 200, 1), (300, 200, 1), (0, 0, 1)],
)
def test_last_hour_limits_how_far_an_unknown_group_is_read(scanned_mb: float, max_mb: int, reach_h: float) -> None:
    """A log group of unknown size is read as far back as the bytes of its last hour allow."""
    start, oldest = NOW - timedelta(hours=1), NOW - timedelta(days=30)
    earlier = extended_start(start, NOW, scanned_mb * 1e6, max_mb, timedelta(days=1), oldest)
    assert NOW - earlier == timedelta(hours=reach_h)


class Logs:
    """A log group with 100 MB a day, of which the service says that it stores a share."""

    def __init__(self, stored_factor: float, age: timedelta = timedelta(days=10)) -> None:
        self.stored = int(stored_factor * age.days * 100_000_000)
        self.created_ms = int((NOW - age).timestamp() * 1000)
        self.windows: list[timedelta] = []

    def describe_log_groups(self, **_: object) -> dict[str, object]:
        group = {"logGroupName": "orders", "storedBytes": self.stored, "creationTime": self.created_ms}
        return {"logGroups": [group]}

    def start_query(self, **request: int) -> dict[str, str]:
        self.windows.append(timedelta(seconds=request["endTime"] - request["startTime"]))
        return {"queryId": str(len(self.windows) - 1)}

    def get_query_results(self, queryId: str) -> dict[str, object]:  # noqa: N803
        scanned = self.windows[int(queryId)] / timedelta(days=1) * 1e8
        return {"status": "Complete", "results": [], "statistics": {"bytesScanned": scanned}}


@pytest.mark.parametrize("stored_factor", [1.0, 0.15])
def test_stored_bytes_may_be_compressed(stored_factor: float) -> None:
    """No source settles if storedBytes is what a query scans: the budget holds either way, and is used."""
    logs = Logs(stored_factor)
    scan = ReportLog(logs).scan(LogSource("orders", "orders"), NOW, max_scan_mb=200, lines_day=None, read_until=None)  # type: ignore[arg-type]
    assert 100e6 < scan.scanned_bytes <= 200e6
    assert scan.scanned_bytes == pytest.approx((scan.end - scan.start) / timedelta(days=1) * 1e8, rel=1e-3)


def test_day_that_fits_the_caution_takes_one_query() -> None:
    logs = Logs(1.0)
    read_until = NOW - timedelta(hours=6)
    ReportLog(logs).scan(LogSource("orders", "orders"), NOW, max_scan_mb=200, lines_day=None, read_until=read_until)  # type: ignore[arg-type]
    assert logs.windows == [timedelta(hours=6)]
