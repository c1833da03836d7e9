"""Describe the traffic of the fleet: four dozen habits, made by the generator of the local account.

All functions share them, so that fleets of any size differ in their number of names only.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from local_account.synthetic import synthetic_traces
from local_account.traces import Trace
from numpy.typing import NDArray

SEEDS = (1, 2, 3, 4)
# The tags of each function.
TAGS = {"optimizer": "on", "optimizer:warmup": "ready"}
_MEMORY_MB = (128, 256, 512, 1024, 1769)
_LINE_BYTES = 300
# A call writes some lines of its own beside the REPORT line, and all lines are scanned.
_LINES_A_CALL = 4

Array = NDArray[np.float64]


class Habits:
    """The traffic of each function, by name; `now` is the end of the known time."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._traces = [trace for seed in SEEDS for trace in synthetic_traces(now, seed)]
        self._points = cache(self._of_habit)

    def __len__(self) -> int:
        return len(self._traces)

    def habit(self, name: str) -> int:
        """Return the index of a function's habit."""
        return int(name.rpartition("-")[2]) % len(self._traces)

    def memory_mb(self, name: str) -> int:
        """Return the function's memory size."""
        return _MEMORY_MB[self.habit(name) % len(_MEMORY_MB)]

    def points(
        self, name: str, metric: str, statistic: str, period_s: int, start: int, end: int
    ) -> tuple[NDArray[np.int64], Array]:
        """Return times (seconds since 1970) and values of a metric, where there are any."""
        return self._points(self.habit(name), metric, statistic, period_s, start, min(end, int(self.now.timestamp())))

    def _of_habit(
        self, habit: int, metric: str, _statistic: str, period_s: int, start: int, end: int
    ) -> tuple[NDArray[np.int64], Array]:
        trace = self._traces[habit]
        begin = int(trace.start.timestamp())
        first, last = max(0, (start - begin) // 60), max(0, min(len(trace.invocations), (end - begin) // 60))
        minutes = period_s // 60
        calls = trace.invocations[first:last].astype(np.float64)
        calls = calls[: len(calls) // minutes * minutes].reshape(-1, minutes)
        total = calls.sum(1)
        there = total > 0
        times = (begin + first * 60 + np.arange(len(total)) * period_s)[there]
        return times, self._values(trace, metric, calls[there], total[there])

    def _values(self, trace: Trace, metric: str, calls: Array, total: Array) -> Array:
        duration_ms = trace.usual_duration_ms
        if metric == "Invocations":
            return total
        if metric == "ConcurrentExecutions":
            return np.maximum(1.0, np.ceil(calls.max(1) * duration_ms / 60_000))
        if metric == "Duration":
            return np.full(len(total), duration_ms)
        return np.zeros(len(total))

    def report_rows(self, name: str, start: float, end: float, most: int) -> tuple[list[Any], int]:
        """Return rows of a log query, and the bytes that were scanned for them."""
        times, calls = self.points(name, "Invocations", "Sum", 60, int(start), int(end))
        total = int(calls.sum())
        duration_ms, memory_mb = self._traces[self.habit(name)].usual_duration_ms, self.memory_mb(name)
        rows = []
        for at in np.repeat(times, calls.astype(int))[::-1][:most].tolist():
            spread_ms = duration_ms * (0.8 + 0.4 * (at * 7919 % 101) / 101)
            message = (
                f"REPORT RequestId: {at:x}\tDuration: {spread_ms:.2f} ms\tBilled Duration: {int(spread_ms) + 1} ms\t"
                f"Memory Size: {memory_mb} MB\tMax Memory Used: {min(90, memory_mb)} MB\t"
            )
            when = (datetime.fromtimestamp(at, self.now.tzinfo)).strftime("%Y-%m-%d %H:%M:%S.000")
            fields = {"@timestamp": when, "@logStream": "2026/11/01/[1]abc", "@message": message}
            rows.append([{"field": key, "value": value} for key, value in fields.items()])
        return rows, total * _LINE_BYTES * _LINES_A_CALL

    def known_until(self) -> datetime:
        """Return the time of the previous run: a day ago."""
        return self.now - timedelta(days=1)

    def traces(self) -> Mapping[int, Trace]:
        """Return all traces."""
        return dict(enumerate(self._traces))
