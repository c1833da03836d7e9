"""Report where a slow test run spends its time: its slowest files, and how long each of its processes has tests."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

_SHOWN = 10


def slowest_files(reports: Iterable[Any]) -> list[str]:
    """Return a line for each of the ten slowest files: seconds with set-up and tear-down, number of tests, path."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in reports:
        path = str(report.nodeid).partition("::")[0]
        seconds[path] += report.duration
        tests[path] += report.when == "call"
    total = sum(seconds.values())
    return [
        f"{took_s:7.1f} s  {took_s / total:5.1%}  {tests[path]:4d} tests  {path}"
        for path, took_s in seconds.most_common(_SHOWN)
    ]


def ends_of_processes(reports: Iterable[Any]) -> list[str]:
    """Return a line for each process of a parallel run: seconds until its last test ended, and that test's file."""
    last: dict[str, Any] = {}
    started: list[float] = []
    for report in reports:
        started.append(report.start)
        process = getattr(report, "worker_id", "")
        if process and (process not in last or report.stop > last[process].stop):
            last[process] = report
    return [
        f"{report.stop - min(started):7.1f} s  {process} ends with {str(report.nodeid).partition('::')[0]}"
        for process, report in sorted(last.items())
    ]
