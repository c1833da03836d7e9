"""A query of logs that takes longer than there is time is stopped, so that it does not hold a place in the account."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from optimizer.function_logs import LogSource, LogsUnreadable, ReportLog

NOW = datetime(2026, 11, 30, tzinfo=UTC)


class SlowLogs:
    """CloudWatch Logs whose queries never end."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def describe_log_groups(self, **_: Any) -> dict[str, Any]:
        created = int((NOW - timedelta(days=30)).timestamp() * 1000)
        return {"logGroups": [{"logGroupName": "group", "storedBytes": 1000, "creationTime": created}]}

    def start_query(self, **_: Any) -> dict[str, str]:
        return {"queryId": "slow"}

    def get_query_results(self, **_: Any) -> dict[str, Any]:
        return {"status": "Running", "results": []}

    def stop_query(self, *, queryId: str) -> None:  # noqa: N803  as the client names it
        self.stopped.append(queryId)


def test_query_that_takes_too_long_is_stopped() -> None:
    logs: Any = SlowLogs()
    log = ReportLog(logs, sleep=lambda _: None, timeout_s=5.0)
    with pytest.raises(LogsUnreadable, match="took longer than 5 s"):
        log.scan(LogSource("group", "f"), NOW, max_scan_mb=10, lines_day=None, read_until=None)
    assert logs.stopped == ["slow"]
