"""Report the duration of a test run's parts: the ten slowest files, so that a slow suite shows where it waits."""

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
