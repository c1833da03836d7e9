"""The peak memory usage of a version, from its REPORT lines."""

from datetime import UTC, datetime

import pytest
from optimizer.function_logs.parse import LoggedReport, LogSource, ReportLine, Reports
from optimizer.function_logs.read import LogsUnreadable, Scan, UsedMemory, memory_shortage, read_used_memory

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Lines:
    """A log whose lines are (version, MB used)."""

    def __init__(self, *lines: tuple[str, int]) -> None:
        self.lines = lines

    def scan(self, *_: object, **__: object) -> Scan:
        if not self.lines:
            raise LogsUnreadable("there is no log group /aws/lambda/f")
        reports = tuple(LoggedReport(NOW, version, ReportLine("r", 1.0, 1.0, 512, mb)) for version, mb in self.lines)
        return Scan(Reports(reports), NOW, NOW, 0.0)


def read(*lines: tuple[str, int]) -> UsedMemory:
    return read_used_memory(Lines(*lines), LogSource("/aws/lambda/f", "f"), "7", NOW, NOW, 200)  # type: ignore[arg-type]


def test_only_lines_of_the_observed_version_count() -> None:
    assert read(("6", 500), ("7", 300), ("7", 310)) == UsedMemory(310)


def test_memory_usage_is_unknown_without_a_line_of_the_version() -> None:
    assert read(("6", 500)).mb is None
    assert "REPORT" in read(("6", 500)).why


def test_unreadable_log_is_named_as_the_reason() -> None:
    assert "no log group" in read().why


@pytest.mark.parametrize(("used_mb", "tight"), [(393, False), (394, True), (None, False)])
def test_memory_size_must_exceed_usage_times_headroom(used_mb: int | None, tight: bool) -> None:
    assert bool(memory_shortage(UsedMemory(used_mb), 512, 1.3)) is tight
