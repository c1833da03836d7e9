"""The local account adds up REPORT lines as Logs Insights does, in text and in JSON."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.account import LocalAccount
from optimizer.function_logs import FunctionHistory, LeftOut, LogSource, ReportLog, history_of_code

pytestmark = pytest.mark.starts_servers

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
GROUP = "/shop/api"


def text(n: int, ms: float, used_mb: int, more: str = "") -> str:
    return (
        f"REPORT RequestId: r{n}\tDuration: {ms:.2f} ms\tBilled Duration: {int(ms) + 1} ms\tMemory Size: 1024 MB\t"
        f"Max Memory Used: {used_mb} MB\t{more}\n"
    )


def in_json(n: int, ms: float, used_mb: int, status: str = "success", **more: float) -> str:
    metrics = {"durationMs": ms, "billedDurationMs": ms, "memorySizeMB": 1024, "maxMemoryUsedMB": used_mb, **more}
    record = {"requestId": f"r{n}", "status": status, "metrics": metrics}
    return json.dumps({"time": "2026-11-21T00:00:00Z", "type": "platform.report", "record": record})


def put(account: LocalAccount, stream: str, hours_ago: int, messages: list[str]) -> None:
    logs: Any = account.session.client("logs")
    at = int((NOW - timedelta(hours=hours_ago)).timestamp() * 1000)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    events = [{"timestamp": at + n, "message": message} for n, message in enumerate(messages)]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def test_hours_of_a_function_are_added_up_where_its_lines_lie(empty: LocalAccount) -> None:
    logs: Any = empty.session.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    put(empty, "2026/11/21/orders[7]a", 5, [text(n, 100 + n, 90) for n in range(40)])
    put(empty, "2026/11/21/orders[7]b", 3, [
        *(in_json(n, 200, 700) for n in range(10)),
        in_json(10, 300, 710, "timeout"),
        text(11, 250, 95, "Init Duration: 174.06 ms\t"),
        text(12, 900, 1024, "Status: timeout"),
        in_json(13, 250, 95, initDurationMs=80.0),
        text(14, 5, 4000),
        "REPORT RequestId: r15\tDuration: 5.00 ms\tBilled Duration: 6 ms\tMemory Size: 1024 MB\t\n",
        "hello",
        '{"type": "platform.start"}',
    ])  # fmt: skip
    put(empty, "2026/11/21/orders-old[7]c", 3, [text(n, 5000, 1000) for n in range(5)])
    source = LogSource(GROUP, "orders")
    scan = ReportLog(logs).scan_hours(source, NOW, FunctionHistory(), max_scan_mb=200)
    assert scan is not None
    assert scan.left_out == LeftOut(malformed=1, impossible=1)
    history = scan.added_to(FunctionHistory())
    size = history_of_code(history, "7").sizes[1024]
    assert (size.calls, size.timeouts, size.errors, size.max_memory_used_mb) == (54, 2, 0, 1024)
    assert size.durations.total == pytest.approx(sum(100 + n for n in range(40)) + 10 * 200 + 2 * 250)
    assert (size.inits.count, size.inits.total) == (2, pytest.approx(254.06))
    assert size.durations.quantile(0.5) == pytest.approx(125, rel=0.05)
    # What was read once is not counted again, and the next run finds nothing to read.
    assert scan.added_to(history).sizes == history.sizes
    assert ReportLog(logs).scan_hours(source, NOW, history, max_scan_mb=200) is None
