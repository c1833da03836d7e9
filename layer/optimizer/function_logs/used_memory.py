"""The most memory that a version used while it was watched, from its REPORT lines: no metric tells it."""

from dataclasses import dataclass
from datetime import datetime

from optimizer.function_logs.read import LogsUnreadable, ReportLog


@dataclass(frozen=True, slots=True)
class UsedMemory:
    """What the lines of a window say. `mb` is None where no line of the version was found, and `why` says so."""

    mb: int | None
    why: str = ""


def read_used_memory(
    logs: ReportLog, group: str, version: str, start: datetime, end: datetime, max_scan_mb: int
) -> UsedMemory:
    """Reads the lines of [start, end), no more of them than `max_scan_mb` allows."""
    try:
        lines = logs.scan(group, end, max_scan_mb=max_scan_mb, lines_day=None, read_until=start).reports.lines
    except LogsUnreadable as unreadable:
        return UsedMemory(None, f"the memory it uses could not be read: {unreadable}")
    used = [line.report.max_memory_used_mb for line in lines if line.version == version]
    return UsedMemory(max(used)) if used else UsedMemory(None, "no REPORT line tells how much memory it uses")


def memory_shortage(used: UsedMemory, memory_mb: int, headroom: float) -> str:
    """Why that size leaves too little; empty if it does not, or if it is not known. Pure."""
    if used.mb is None or used.mb * headroom <= memory_mb:
        return ""
    return f"it used {used.mb} MB of {memory_mb} MB, less than the headroom of {headroom:g}"
