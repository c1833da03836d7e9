"""Reads the peak memory usage of a version while its change is observed, and judges it."""

import math
from dataclasses import dataclass
from datetime import datetime

from optimizer.function_logs.log_queries import LogsUnreadable
from optimizer.function_logs.log_source import LogSource
from optimizer.function_logs.read import ReportLog


@dataclass(frozen=True, slots=True)
class UsedMemory:
    """The peak memory usage in a window of time."""

    # None if it is unknown; `why` gives the reason.
    mb: int | None
    why: str = ""


def read_used_memory(
    logs: ReportLog, source: LogSource, version: str, start: datetime, end: datetime, max_scan_mb: int
) -> UsedMemory:
    """Read the peak memory usage from the lines of [start, end), scanning at most `max_scan_mb`."""
    try:
        hours, since = logs.scan_window(source, start, end, max_scan_mb=max_scan_mb)
    except LogsUnreadable as unreadable:
        return UsedMemory(None, f"its memory usage could not be read: {unreadable}")
    used = [hour.size.max_memory_used_mb for hour in hours if hour.version == version]
    if not used:
        return UsedMemory(None, f"no REPORT line of version {version} shows its memory usage")
    return UsedMemory(max(used), "" if since <= start else f"lines before {since:%H:%M} UTC were too many to read")


def memory_shortage(used: UsedMemory, memory_mb: int, headroom: float) -> str:
    """Return a message if `memory_mb` is less than `headroom` times the peak usage, otherwise an empty string.

    The result is also empty if the usage is unknown. Pure.
    """
    if used.mb is None or used.mb * headroom <= memory_mb:
        return ""
    needed_mb = math.ceil(used.mb * headroom)
    return f"{memory_mb} MB is below the required {needed_mb} MB ({headroom:g} x the peak usage of {used.mb} MB)"
