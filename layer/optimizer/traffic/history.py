"""The history of one function: 15 days of minutes and 63 days of hours, as long as CloudWatch keeps them.

An unknown point is NaN. A point that CloudWatch did not report is unknown until `gaps.settle` has told gaps in the
metrics from minutes without calls.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

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
    """The stored document is not a history. It is read from CloudWatch again."""


@dataclass(frozen=True, slots=True)
class Series:
    """Equally spaced points of several metrics."""

    # The number of the first period (minute or hour) since 1970.
    start: int
    # One array for each metric, all of the same length; NaN is unknown.
    values: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(next(iter(self.values.values()))) if self.values else 0

    @property
    def end(self) -> int:
        """The number of the first period after the series."""
        return self.start + len(self)

    def window(self, start: int, end: int) -> "Series":
        """Return the periods from `start` to `end` (not included); NaN for periods outside this series."""
        values = {}
        first, last = max(start, self.start), min(end, self.end)
        for name, own in self.values.items():
            points = np.full(max(end - start, 0), np.nan)
            if last > first:
                points[first - start : last - start] = own[first - self.start : last - self.start]
            values[name] = points
        return Series(start, values)

    def overlaid(self, newer: "Series") -> "Series":
        """Return both series as one; a known point of `newer` replaces the older one."""
        filled = [series for series in (self, newer) if len(series)]
        start = min((series.start for series in filled), default=newer.start)
        end = max((series.end for series in filled), default=newer.start)
        old, new = self.window(start, end), newer.window(start, end)
        names = {**self.values, **newer.values}
        unknown = np.full(end - start, np.nan)
        values = {}
        for name in names:
            ours, theirs = old.values.get(name, unknown), new.values.get(name, unknown)
            values[name] = np.where(np.isnan(theirs), ours, theirs)
        return Series(start, values)


def empty_series(metrics: tuple[str, ...], start: int = 0) -> Series:
    """Return a series without points."""
    return Series(start, MappingProxyType({name: np.empty(0) for name in metrics}))


@dataclass(frozen=True, slots=True)
class History:
    """The traffic of a function that is stored between runs."""

    minutes: Series
    hours: Series

    @classmethod
    def empty(cls) -> "History":
        """Return the history of a function that was never read."""
        return cls(empty_series(MINUTE_METRICS), empty_series(HOUR_METRICS))

    @property
    def end_minute(self) -> int:
        """The first minute after the history, numbered from 1970."""
        return self.minutes.end

    def before(self, minute: int) -> "History":
        """Return the history up to a minute since 1970 (not included), and the whole hours before it."""
        first_hour = max(self.hours.start, minute // 60 - HOURS_KEPT)
        return History(self.minutes.window(self.minutes.start, minute), self.hours.window(first_hour, minute // 60))

    def merged(self, newer: "History") -> "History":
        """Return both histories as one, cut to the days that are kept. Late points replace what was read before."""
        minutes = self.minutes.overlaid(newer.minutes)
        hours = self.hours.overlaid(newer.hours)
        minutes = minutes.window(max(minutes.start, minutes.end - MINUTES_KEPT), minutes.end)
        return History(minutes, hours.window(max(hours.start, hours.end - HOURS_KEPT), hours.end))

    def to_bytes(self, alias: str = "") -> bytes:
        """Return an .npz file: `minutes_start`, `hours_start`, and for each metric a float32 array `minutes_METRIC` or
        `hours_METRIC`. alias: whose calls these are, read by `alias_of`."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, series in (("minutes", self.minutes), ("hours", self.hours)):
            arrays[f"{name}_start"] = np.array(series.start, np.int64)
            arrays.update({f"{name}_{metric}": values.astype(np.float32) for metric, values in series.values.items()})
        if alias:
            arrays["alias"] = np.array(alias)
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "History":
        """Read the result of `to_bytes`; raise UnreadableHistory for anything else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return cls(_series(arrays, "minutes", MINUTE_METRICS), _series(arrays, "hours", HOUR_METRICS))
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise UnreadableHistory(f"a stored history cannot be read: {error}") from error


def alias_of(content: bytes) -> str:
    """Return the alias whose calls are stored, `$LATEST` for all calls of a function without one.

    It is empty for a document of a release that did not tell aliases apart. Raise UnreadableHistory."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return str(arrays["alias"]) if "alias" in arrays else ""
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadableHistory(f"a stored history cannot be read: {error}") from error


def hours_from_minutes(minutes: Series) -> Series:
    """Return the whole hours of a minute series; an hour with an unknown minute is unknown.

    Calls are summed, durations are averaged by calls, concurrency is the maximum.
    """
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
        raise ValueError(f"the metrics have different numbers of {name}")
    return Series(int(arrays[f"{name}_start"]), values)


type Ints = NDArray[np.int64]

# Everywhere, clocks change at a quarter of an hour.
_QUARTER = 15


def offsets_minutes(zone: ZoneInfo, minutes: Ints) -> Ints:
    """Return the minutes to add to each minute since 1970 to get local civil time."""
    quarters, where = np.unique(minutes // _QUARTER, return_inverse=True)
    return np.array([_offset(zone.key, int(quarter)) for quarter in quarters], np.int64)[where]


def local_hours(zone: ZoneInfo, hours: Ints) -> Ints:
    """Return the local hour of each hour since 1970, with the offset rounded down to whole hours."""
    return hours + offsets_minutes(zone, hours * 60) // 60


def same_time_on_other_days(zone: ZoneInfo, minutes: Ints, days: int) -> Ints:
    """Return the minutes with the same local time `days` days later (negative: earlier).

    A local time that a day skips, because clocks go forward, becomes one hour later. A local time that a day has twice
    is returned once.
    """
    wanted = minutes + offsets_minutes(zone, minutes) + days * DAY_MINUTES
    guess = wanted - offsets_minutes(zone, minutes)
    return wanted - offsets_minutes(zone, guess)


@lru_cache(maxsize=16384)
def _offset(zone_key: str, quarter: int) -> int:
    offset = datetime.fromtimestamp(quarter * _QUARTER * 60, ZoneInfo(zone_key)).utcoffset()
    assert offset is not None  # noqa: S101  a zone from the database always has one
    return int(offset.total_seconds() // 60)
