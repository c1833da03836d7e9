"""Simulate CloudWatch, the logs, the bucket and the clock of an account, as far as capacity planning reads them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from optimizer.function_logs import (
    FunctionHistory,
    HourlyScan,
    LoggedHour,
    LoggedReport,
    LogSource,
    ReportLine,
    Reports,
    Scan,
    hour_of,
    hours_of,
    start_of,
    window_to_read,
)
from optimizer.store import Documents, NoSuchDocument

from local_account.fleet import TargetFunction
from local_account.lambda_metrics import LambdaMetrics, read_dimensions
from local_account.metrics import as_datetimes
from local_account.seeds import generator
from local_account.workload import Part, Routing, Workload

_LONGEST = timedelta(days=14)
_BYTES_A_LINE = 1000
COLD_SHARE = 0.005


@dataclass(slots=True)
class Clock:
    """The time that everything simulated shares."""

    now: datetime


class MemoryDocuments(Documents):
    """A bucket in memory."""

    def __init__(self) -> None:
        self.bucket = "memory"
        self._content: dict[str, bytes] = {}

    def read_bytes(self, key: str) -> bytes:
        """Return the object under the key; raise NoSuchDocument if there is none."""
        try:
            return self._content[key]
        except KeyError:
            raise NoSuchDocument(f"{key} does not exist") from None

    def write_bytes(self, key: str, content: bytes, content_type: str) -> str:  # noqa: ARG002 - as Documents
        """Store an object; return its key."""
        self._content[key] = content
        return key

    def keys(self, prefix: str) -> list[str]:
        """Return all keys that start with the prefix, in order."""
        return sorted(key for key in self._content if key.startswith(prefix))


@dataclass(frozen=True, slots=True)
class SimulatedCloudWatch:
    """The part of a boto3 client that reads GetMetricData."""

    metrics: LambdaMetrics
    clock: Clock

    def get_paginator(self, _name: str) -> "SimulatedCloudWatch":
        """Return itself: everything fits one page."""
        return self

    def paginate(self, **request: Any) -> list[Mapping[str, Any]]:
        """Yield one page of GetMetricData; minutes that are not over yet are left out."""
        end = min(request["EndTime"], self.clock.now)
        results = []
        for query in request["MetricDataQueries"]:
            stat = query["MetricStat"]
            points = self.metrics.points(
                stat["Metric"]["MetricName"],
                read_dimensions(stat["Metric"]["Dimensions"]),
                request["StartTime"],
                end,
                stat["Period"],
                stat["Stat"],
                self.clock.now,
            )
            results.append(
                {"Id": query["Id"], "Timestamps": as_datetimes(points.times), "Values": points.values.tolist()}
            )
        return [{"MetricDataResults": results}]


class SimulatedLog:
    """A log that reads as ReportLog does: the newest unread calls.

    At most `most_lines` of them are read, as a bound on the bytes would leave them.
    """

    def __init__(
        self, targets: Sequence[TargetFunction], routings: Callable[[str], Sequence[Routing]], most_lines: int
    ) -> None:
        self._targets = {f"/aws/lambda/{target.name}": target for target in targets}
        self._workloads = {target.name: Workload(target) for target in targets}
        self._routings = routings
        self._most_lines = most_lines

    def scan(
        self,
        source: LogSource,
        now: datetime,
        *,
        max_scan_mb: int,
        lines_day: float | None,  # noqa: ARG002 - as ReportLog
        read_until: datetime | None,
    ) -> Scan:
        """Return the newest lines."""
        target = self._targets[source.group]
        start = max(read_until, now - _LONGEST) if read_until else now - _LONGEST
        newest = self._newest(target, start, now, max_scan_mb)
        return Scan(Reports(tuple(newest)), start, now, float(len(newest) * _BYTES_A_LINE))

    def scan_hours(
        self, source: LogSource, now: datetime, history: FunctionHistory, *, max_scan_mb: int
    ) -> HourlyScan | None:
        """Return the hours that tell most; of a busy window its newest lines stand for all."""
        target = self._targets[source.group]
        window = window_to_read(history.hours_read, hour_of(now - _LONGEST), hour_of(now), _LONGEST.days * 24)
        if window is None:
            return None
        start, end = start_of(window[0]), start_of(window[1])
        lines = self._newest(target, start, end, max_scan_mb)
        scanned = float(len(lines) * _BYTES_A_LINE)
        return HourlyScan([(*window, hours_of(lines))], scanned, scanned / (window[1] - window[0]))

    def scan_window(
        self, source: LogSource, start: datetime, end: datetime, *, max_scan_mb: int
    ) -> tuple[list[LoggedHour], datetime]:
        """Return the calls of a window."""
        return hours_of(self._newest(self._targets[source.group], start, end, max_scan_mb)), start

    def _newest(self, target: TargetFunction, start: datetime, end: datetime, max_scan_mb: int) -> list[LoggedReport]:
        most = min(self._most_lines, max_scan_mb * 1_000_000 // _BYTES_A_LINE)
        parts = list(self._workloads[target.name].parts(self._routings(target.name), start, end))
        lines = [line for part in parts for line in _lines(target, part, most)]
        return sorted((line for line in lines if start < line.at < end), key=lambda line: line.at)[-most:]


def _lines(target: TargetFunction, part: Part, most: int) -> list[LoggedReport]:
    """Return the newest calls of a part, with durations spread around the mean of their minute as the metrics are."""
    behaviour, share = target.behaviour, part.share
    random = generator(target.name, share.version, part.first, len(part.invocations), "lines")
    later = np.cumsum(part.invocations[::-1])[::-1] - part.invocations
    calls = np.clip(most - later, 0, part.invocations)
    minutes = np.repeat(np.arange(len(calls)), calls)
    total = len(minutes)
    angle = np.pi / behaviour.shape
    level = random.uniform(0.0, 1.0, total)
    durations = part.duration_ms[minutes] * np.sin(angle) / angle * (level / (1.0 - level)) ** (1.0 / behaviour.shape)
    used = np.minimum(behaviour.used_memory_mb * random.uniform(0.85, 1.0, total), share.memory_mb)
    failed = random.random(total) < behaviour.errors(share.memory_mb, target.memory_mb)
    cold = random.random(total) < COLD_SHARE
    seconds = minutes * 60.0 + random.uniform(0.0, 60.0, total)
    origin = (target.traffic.start + timedelta(minutes=part.first)).astimezone(UTC)
    return [
        LoggedReport(
            origin + timedelta(seconds=second),
            share.version,
            ReportLine(
                "r",
                duration,
                duration,
                share.memory_mb,
                int(mb),
                init_ms=behaviour.init_ms if is_cold else None,
                # Text lines do not show that the handler raised; JSON lines do.
                status="error" if bad and target.json_logs else "success",
            ),
        )
        for second, duration, mb, bad, is_cold in zip(
            seconds.tolist(), durations.tolist(), used.tolist(), failed.tolist(), cold.tolist(), strict=True
        )
    ]
