"""The peak memory usage of a version, from its REPORT lines."""

from datetime import UTC, datetime, timedelta

import pytest
from optimizer.function_logs.history import LoggedHour
from optimizer.function_logs.hours import hours_of
from optimizer.function_logs.log_queries import LogsUnreadable
from optimizer.function_logs.parse import LoggedReport, LogSource, ReportLine
from optimizer.function_logs.used_memory import UsedMemory, memory_shortage, read_used_memory

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
START = NOW - timedelta(hours=18)


class Lines:
    """A log whose lines are (version, MB used), read from `since` on."""

    def __init__(self, *lines: tuple[str, int], since: datetime = START) -> None:
        self.lines, self.since = lines, since

    def scan_window(self, *_: object, **__: object) -> tuple[list[LoggedHour], datetime]:
        if not self.lines:
            raise LogsUnreadable("there is no log group /aws/lambda/f")
        reports = [LoggedReport(NOW, version, ReportLine("r", 1.0, 1.0, 512, mb)) for version, mb in self.lines]
        return hours_of(reports), self.since


def read(*lines: tuple[str, int], since: datetime = START) -> UsedMemory:
    log = Lines(*lines, since=since)
    return read_used_memory(log, LogSource("/aws/lambda/f", "f"), "7", START, NOW, 200)  # type: ignore[arg-type]


def test_only_lines_of_the_observed_version_count() -> None:
    assert read(("6", 500), ("7", 300), ("7", 310)) == UsedMemory(310)


def test_memory_usage_is_unknown_without_a_line_of_the_version() -> None:
    assert read(("6", 500)).mb is None
    assert "REPORT" in read(("6", 500)).why


def test_unreadable_log_is_named_as_the_reason() -> None:
    assert "no log group" in read().why


def test_lines_that_were_too_many_to_read_are_told() -> None:
    used = read(("7", 310), since=START + timedelta(hours=7))
    assert used == UsedMemory(310, "lines before 22:00 UTC were too many to read")


@pytest.mark.parametrize(("used_mb", "tight"), [(393, False), (394, True), (None, False)])
def test_memory_size_must_exceed_usage_times_headroom(used_mb: int | None, tight: bool) -> None:
    assert bool(memory_shortage(UsedMemory(used_mb), 512, 1.3)) is tight
