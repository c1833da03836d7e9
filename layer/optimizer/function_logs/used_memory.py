"""Read the peak memory usage of a version under observation from its REPORT lines, because no metric tells it."""

import math
from dataclasses import dataclass
from datetime import datetime

from optimizer.function_logs.read import LogsUnreadable, ReportLog


@dataclass(frozen=True, slots=True)
class UsedMemory:
    """The peak memory usage in a window of time."""

    # None if it is unknown; `why` gives the reason.
    mb: int | None
    why: str = ""


def read_used_memory(
    logs: ReportLog, group: str, version: str, start: datetime, end: datetime, max_scan_mb: int
) -> UsedMemory:
    """Read the peak memory usage from the lines of [start, end), scanning at most `max_scan_mb`."""
    try:
        lines = logs.scan(group, end, max_scan_mb=max_scan_mb, lines_day=None, read_until=start).reports.lines
    except LogsUnreadable as unreadable:
        return UsedMemory(None, f"its memory usage could not be read: {unreadable}")
    used = [line.report.max_memory_used_mb for line in lines if line.version == version]
    return (
        UsedMemory(max(used))
        if used
        else UsedMemory(None, f"no REPORT line of version {version} shows its memory usage")
    )


def memory_shortage(used: UsedMemory, memory_mb: int, headroom: float) -> str:
    """Return a message if `memory_mb` is less than `headroom` times the peak usage, otherwise an empty string.

    The result is also empty if the usage is unknown. Pure.
    """
    if used.mb is None or used.mb * headroom <= memory_mb:
        return ""
    needed_mb = math.ceil(used.mb * headroom)
    return f"{memory_mb} MB is below the required {needed_mb} MB ({headroom:g} x the peak usage of {used.mb} MB)"
