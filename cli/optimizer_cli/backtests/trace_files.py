"""Traffic in a folder: `series.json` and one `NAME.csv.gz` for each series; only series by the minute are read.

series.json: for each name `period_s`, `timezone` and `duration_ms` (of all calls, or null where each minute has its
own). CSV: `timestamp` (ISO 8601, the start of the minute), `invocations` (empty: not known), `duration_ms`.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import numpy as np
from optimizer.core import minute_of
from optimizer.traffic import Series
from optimizer.warmups import PingRates, Subject

# Ten years.
_MOST_MINUTES = 5_256_000


class UnreadableTraces(ValueError):
    """The folder or one of its files is not valid; the message names it and the reason."""


def read(folder: Path, only: Collection[str], *, memory_mb: int, rates: PingRates, init_ms: float) -> Iterator[Subject]:
    """Yield the series by the minute as functions of one size, in the order of their names. `only`: empty for all."""
    try:
        facts: dict[str, dict[str, Any]] = json.loads((folder / "series.json").read_text())
    except FileNotFoundError as error:
        raise UnreadableTraces(f"{folder} has no series.json") from error
    except ValueError as error:
        raise UnreadableTraces(f"{folder}/series.json is not JSON: {error}") from error
    if not isinstance(facts, dict) or not all(isinstance(fact, dict) for fact in facts.values()):
        raise UnreadableTraces(f"{folder}/series.json is not an object of objects, one for each series")
    missing = sorted(set(only) - set(facts))
    if missing:
        raise UnreadableTraces(f"{folder}/series.json has no {', '.join(missing)}")
    for name in sorted(only or facts):
        if facts[name].get("period_s") == 60:
            duration_ms, time_zone = facts[name].get("duration_ms"), facts[name].get("timezone") or "UTC"
            if isinstance(duration_ms, bool) or not isinstance(duration_ms, int | float | None):
                raise UnreadableTraces(f"{folder}/series.json: duration_ms of {name} is neither a number nor null")
            if not isinstance(time_zone, str) or time_zone not in available_timezones():
                raise UnreadableTraces(f"{folder}/series.json: timezone of {name} is not in the time zone database")
            minutes = _minutes(folder / f"{name}.csv.gz", duration_ms)
            yield Subject(name, minutes, time_zone, memory_mb, rates, init_ms)


def of_another_period(folder: Path, only: Collection[str]) -> dict[str, str]:
    """Return why series of a folder that `read` accepts are not played, by name."""
    facts: dict[str, dict[str, Any]] = json.loads((folder / "series.json").read_text())
    return {
        name: f"its period_s is {json.dumps(facts[name].get('period_s'))}; only 60 can be played"
        for name in sorted(only or facts)
        if facts[name].get("period_s") != 60
    }


def _minutes(path: Path, duration_ms: float | None) -> Series:
    try:
        with gzip.open(path, "rt", newline="") as text:
            rows = [(_minute(row), row["invocations"], row.get("duration_ms")) for row in csv.DictReader(text)]
        start, end = rows[0][0], rows[-1][0] + 1
        if not 0 < end - start <= _MOST_MINUTES or any(not start <= minute < end for minute, _, _ in rows):
            raise ValueError(f"its minutes must rise, over at most {_MOST_MINUTES} of them")
        calls, durations = np.full((2, end - start), np.nan)
        for minute, count, mean_ms in rows:
            if count:
                calls[minute - start] = float(count)
            if mean_ms and float(mean_ms) > 0:
                durations[minute - start] = float(mean_ms)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableTraces(f"{path} cannot be read: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise UnreadableTraces(f"{path} is not a series by the minute: {error!r}") from error
    usual = duration_ms or (_mean(calls, durations) if np.isfinite(durations).any() else 0.0)
    durations = np.where(np.isnan(durations) & (calls > 0), usual, durations)
    return Series(start, {"invocations": calls, "duration_ms": durations, "concurrency": np.full(len(calls), np.nan)})


def _minute(row: dict[str, str]) -> int:
    moment = datetime.fromisoformat(row["timestamp"])
    if moment.tzinfo is None:
        raise ValueError(f"{row['timestamp']} has no time zone; end it with Z for UTC")
    return minute_of(moment)


def _mean(calls: np.ndarray, durations: np.ndarray) -> float:
    known = ~np.isnan(durations)
    return float(np.average(durations[known], weights=np.nan_to_num(calls[known]) + 1e-9))
