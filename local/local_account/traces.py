"""Read recorded traffic from a folder: `series.json` and one `NAME.csv.gz` for each series."""

import csv
import gzip
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from local_account.seeds import generator

type Counts = npt.NDArray[np.int64]
type Numbers = npt.NDArray[np.float64]

MINUTE = timedelta(minutes=1)
DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
HISTORY_DAYS = 28
AHEAD_DAYS = 35
_USUAL_DURATION_MS = 200.0
# Hourly series count entire sites; more calls a minute than this would only fill the account's concurrency.
_LARGEST_MEAN_A_MINUTE = 600.0
# A trace shorter than this would lose most of its history if it could only be moved by whole weeks.
_SHORT_TRACE_MINUTES = 15 * DAY_MINUTES
_LONGEST_PERIOD_S = 86_400
# Ten years of minutes.
_MOST_PLACES = 5_256_000


class NoTraces(FileNotFoundError):
    """The folder holds no readable traffic; the message names what is missing."""


class UnreadableTraces(ValueError):
    """The folder or one of its files is malformed; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Calls of one function minute by minute from `start` (UTC).

    `duration_ms` is the mean of each minute, 0 without calls; None where the trace knows only `usual_duration_ms`.
    """

    name: str
    start: datetime
    timezone: str
    invocations: Counts
    duration_ms: Numbers | None
    usual_duration_ms: float
    note: str

    @property
    def end(self) -> datetime:
        """Return the first minute after the trace."""
        return self.start + len(self.invocations) * MINUTE


@dataclass(frozen=True, slots=True)
class Traffic:
    """A trace moved to now: minute `i` of the arrays is `start + i` minutes.

    The traffic continues after now, because a part of the trace was held back, and after its last minute by repeating
    its last week.
    """

    start: datetime
    invocations: Counts
    duration_ms: Numbers
    measured_durations: bool

    def index(self, time: datetime) -> int:
        """Return the minute's place in the arrays; it may lie outside them."""
        return (time - self.start) // MINUTE


def read_traces(folder: Path) -> list[Trace]:
    """Return every series of the folder, those by the minute first; raise NoTraces if there is none."""
    try:
        series: dict[str, dict[str, Any]] = json.loads((folder / "series.json").read_text())
    except FileNotFoundError as missing:
        raise NoTraces(f"{folder} has no series.json: give the folder that holds the traces") from missing
    except ValueError as error:
        raise UnreadableTraces(f"{folder}/series.json is not JSON: {error}") from error
    if not series:
        raise NoTraces(f"{folder}/series.json names no series")
    for name, facts in series.items() if isinstance(series, dict) else [("series.json", None)]:
        period_s = facts.get("period_s") if isinstance(facts, dict) else None
        if not isinstance(period_s, int) or not 60 <= period_s <= _LONGEST_PERIOD_S or period_s % 60:
            raise UnreadableTraces(f"{folder}/series.json: {name} has no period_s of whole minutes")
    ordered = sorted(series, key=lambda name: (series[name]["period_s"], name))
    return [_read(folder / f"{name}.csv.gz", name, series[name]) for name in ordered]


def move_to_now(trace: Trace, now: datetime) -> Traffic:
    """Return the trace with the same weekdays and times of day in its own time zone, a day or more of it after `now`.

    Before `now` lie at most 28 days; a shorter trace is a younger function. A trace of at most two weeks is moved by
    whole days: by whole weeks it could lose nearly all its history.
    """
    now = now.replace(second=0, microsecond=0)
    zone = ZoneInfo(trace.timezone)
    length = len(trace.invocations)
    step = timedelta(days=1) if length <= _SHORT_TRACE_MINUTES else timedelta(days=7)
    offset = _utc_offset(trace.end, zone) - _utc_offset(now, zone)
    steps = -((trace.end + offset - (now + timedelta(days=1))) // step)
    moved_start = trace.start + offset + steps * step
    start = max(moved_start, now - timedelta(days=HISTORY_DAYS))
    places = (start - moved_start) // MINUTE + np.arange((now - start) // MINUTE + AHEAD_DAYS * DAY_MINUTES)
    season = WEEK_MINUTES if length >= WEEK_MINUTES else max(DAY_MINUTES, length // DAY_MINUTES * DAY_MINUTES)
    repeated = np.maximum(0, -(-(places - length + 1) // season)) * season
    places = np.maximum(places - repeated, 0)
    durations = trace.duration_ms[places] if trace.duration_ms is not None else np.zeros(len(places))
    durations = np.where(durations > 0, durations, trace.usual_duration_ms)
    return Traffic(start, trace.invocations[places], durations, trace.duration_ms is not None)


def _utc_offset(time: datetime, zone: ZoneInfo) -> timedelta:
    return time.astimezone(zone).utcoffset() or timedelta(0)


def _read(path: Path, name: str, facts: dict[str, Any]) -> Trace:
    try:
        return _trace(path, name, facts)
    except NoTraces:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableTraces(f"{path} cannot be read: {error}") from error
    except (LookupError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise UnreadableTraces(f"{path} is not a series as series.json describes: {error!r}") from error


def _trace(path: Path, name: str, facts: dict[str, Any]) -> Trace:
    try:
        with gzip.open(path, "rt", newline="") as text:
            rows = list(csv.DictReader(text))
    except FileNotFoundError as missing:
        raise NoTraces(f"{path} is named in series.json but does not exist") from missing
    period = timedelta(seconds=int(facts["period_s"]))
    start = datetime.fromisoformat(rows[0]["timestamp"]).astimezone(UTC)
    size = (datetime.fromisoformat(rows[-1]["timestamp"]) - start) // period + 1
    if not 0 < size <= _MOST_PLACES:
        raise ValueError(f"its times must rise, over at most {_MOST_PLACES} periods")
    ZoneInfo(str(facts["timezone"]))
    counts, durations = np.full(size, np.nan), np.zeros(size)
    for row in rows:
        place = (datetime.fromisoformat(row["timestamp"]) - start) // period
        if place < 0:
            raise ValueError(f"{row['timestamp']} is before the first time")
        if row["invocations"]:
            counts[place] = float(row["invocations"])
        if row.get("duration_ms"):
            durations[place] = float(row["duration_ms"])
    known = durations > 0
    usual = float(np.average(durations[known], weights=np.nan_to_num(counts[known]) + 1e-9)) if known.any() else 0.0
    return Trace(
        name=name.replace("_", "-"),
        start=start,
        timezone=str(facts["timezone"]),
        invocations=_by_minute(name, counts, period),
        duration_ms=durations if known.any() and period == MINUTE else None,
        usual_duration_ms=usual or float(facts.get("duration_ms") or _USUAL_DURATION_MS),
        note=str(facts.get("note", "")),
    )


def _by_minute(name: str, counts: Numbers, period: timedelta) -> Counts:
    """Return calls by the minute; a longer period is spread over its minutes as independent arrivals (Poisson)."""
    if period == MINUTE:
        return np.rint(np.nan_to_num(counts)).astype(np.int64)
    minutes = period // MINUTE
    places = np.where(np.isnan(counts), 0, np.arange(len(counts)))
    rates = np.repeat(np.nan_to_num(counts[np.maximum.accumulate(places)]) / minutes, minutes)
    rates *= min(1.0, _LARGEST_MEAN_A_MINUTE / max(float(rates.mean()), 1e-9))
    return generator(name, "spread").poisson(rates).astype(np.int64)
