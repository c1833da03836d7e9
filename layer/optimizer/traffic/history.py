"""The history of one function: a minute series of 15 days and an hour series of 63, as CloudWatch keeps them.

A point that is not known is NaN. What CloudWatch did not report is not known until `silence.settle` has told a
gap in the metrics from a minute without calls.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from optimizer.core import OptimizerError

type Floats = NDArray[np.float64]

DAY_MINUTES = 1440
MINUTES_KEPT = 15 * DAY_MINUTES
HOURS_KEPT = 63 * 24

MINUTE_METRICS = ("invocations", "duration_ms", "concurrency")
HOUR_METRICS = (*MINUTE_METRICS, "p95_duration_ms", "errors", "throttles")


class UnreadableHistory(OptimizerError, ValueError):
    """What is stored under the history key is not a history; it is read anew from CloudWatch."""


@dataclass(frozen=True, slots=True)
class Series:
    """Equally spaced points. `start`: the number of the first period since 1970 (a minute's or an hour's).
    `values`: for each metric one array, all of the same length; NaN is not known."""

    start: int
    values: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(next(iter(self.values.values()))) if self.values else 0

    @property
    def end(self) -> int:
        """The number of the first period after the series."""
        return self.start + len(self)

    def window(self, start: int, end: int) -> "Series":
        """The periods start..end (end not included); not known where this series has nothing."""
        values = {}
        first, last = max(start, self.start), min(end, self.end)
        for name, own in self.values.items():
            points = np.full(max(end - start, 0), np.nan)
            if last > first:
                points[first - start : last - start] = own[first - self.start : last - self.start]
            values[name] = points
        return Series(start, values)

    def overlaid(self, newer: "Series") -> "Series":
        """Both together; where the newer one knows a point, it counts."""
        known = [series for series in (self, newer) if len(series)]
        start = min((series.start for series in known), default=newer.start)
        end = max((series.end for series in known), default=newer.start)
        old, new = self.window(start, end), newer.window(start, end)
        names = {**self.values, **newer.values}
        unknown = np.full(end - start, np.nan)
        values = {}
        for name in names:
            ours, theirs = old.values.get(name, unknown), new.values.get(name, unknown)
            values[name] = np.where(np.isnan(theirs), ours, theirs)
        return Series(start, values)


def empty_series(metrics: tuple[str, ...], start: int = 0) -> Series:
    """A series of no length."""
    return Series(start, MappingProxyType({name: np.empty(0) for name in metrics}))


@dataclass(frozen=True, slots=True)
class History:
    """What is kept of a function between runs."""

    minutes: Series
    hours: Series

    @classmethod
    def empty(cls) -> "History":
        """Of a function that was never read."""
        return cls(empty_series(MINUTE_METRICS), empty_series(HOUR_METRICS))

    @property
    def end_minute(self) -> int:
        """The first minute since 1970 that is not in it."""
        return self.minutes.end

    def merged(self, newer: "History") -> "History":
        """Both together, cut to what is kept: late points replace what was read before."""
        minutes = self.minutes.overlaid(newer.minutes)
        hours = self.hours.overlaid(newer.hours)
        minutes = minutes.window(max(minutes.start, minutes.end - MINUTES_KEPT), minutes.end)
        return History(minutes, hours.window(max(hours.start, hours.end - HOURS_KEPT), hours.end))

    def to_bytes(self) -> bytes:
        """As an .npz file: `minutes_start`, `hours_start` and one float32 array `minutes_METRIC`, `hours_METRIC`."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, series in (("minutes", self.minutes), ("hours", self.hours)):
            arrays[f"{name}_start"] = np.array(series.start, np.int64)
            arrays.update({f"{name}_{metric}": values.astype(np.float32) for metric, values in series.values.items()})
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "History":
        """Read `to_bytes` back; UnreadableHistory if it is anything else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return cls(_series(arrays, "minutes", MINUTE_METRICS), _series(arrays, "hours", HOUR_METRICS))
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise UnreadableHistory(f"a stored history cannot be read: {error}") from error


def hours_from_minutes(minutes: Series) -> Series:
    """Whole hours made from minutes, those in which every minute is known: calls are summed, durations averaged
    by calls, concurrency is the largest."""
    first, last = -(-minutes.start // 60), minutes.end // 60
    if last <= first:
        return empty_series(MINUTE_METRICS, first)
    whole = {name: values.reshape(-1, 60) for name, values in minutes.window(first * 60, last * 60).values.items()}
    calls = whole["invocations"]
    total = calls.sum(1)
    weighted = np.where(calls > 0, calls * whole["duration_ms"], 0.0).sum(1)
    concurrency = np.where(np.isnan(whole["concurrency"]), -1.0, whole["concurrency"]).max(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        duration = np.where(total > 0, weighted / total, np.nan)
    return Series(
        first,
        {
            "invocations": total,
            "duration_ms": duration,
            "concurrency": np.where(concurrency < 0, np.nan, concurrency),
        },
    )


def _series(arrays: Mapping[str, NDArray[np.generic]], name: str, metrics: tuple[str, ...]) -> Series:
    values = {metric: arrays[f"{name}_{metric}"].astype(np.float64) for metric in metrics}
    if len({array.shape for array in values.values()}) != 1:
        raise ValueError(f"the {name} of its metrics are not equally many")
    return Series(int(arrays[f"{name}_start"]), values)
