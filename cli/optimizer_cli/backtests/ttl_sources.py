"""Reads of caches in two halves, from a trace file or from the logs of the cache client in the account."""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from optimizer.caches import MB, OVERHEAD_BYTES
from optimizer.caches.tuning import (
    Accesses,
    KeySample,
    NamespaceState,
    RecordLog,
    SampledReads,
    TtlLimits,
    merge_samples,
    sum_usage,
)
from optimizer.policy import Cache, CacheTtls

# Ten thousand years: whatever a trace counts from, it counts seconds.
_LARGEST_S = 3.2e11

type Rows = list[tuple[float, str]]


class UnreadableTrace(ValueError):
    """The file is no trace of reads; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Halves:
    """A cache: `states` from the first half to learn from, `later` from the second to test on."""

    name: str
    states: Mapping[str, NamespaceState]
    later: Mapping[str, SampledReads]
    memory_bytes: float


def of_trace(path: Path, ttl_s: float, memory_mb: float, value_bytes: float, limits: TtlLimits) -> Halves:
    """Return all namespaces of a CSV with time_s, namespace and key, with one current TTL; raises UnreadableTrace."""
    rows = _rows(path)
    times = [at for found in rows.values() for at, _ in found]
    if not times:
        raise UnreadableTrace(f"{path} has no reads")
    start, end = min(times), max(times)
    middle = (start + end) / 2
    first = {name: _all_keys([r for r in found if r[0] < middle], start, middle) for name, found in rows.items()}
    second = {name: _all_keys([r for r in found if r[0] >= middle], middle, end) for name, found in rows.items()}
    states = {
        name: NamespaceState(ttl_s, limits, seen, entry_bytes=value_bytes + OVERHEAD_BYTES)
        for name, seen in first.items()
        if seen is not None
    }
    later = {name: seen for name, seen in second.items() if seen is not None}
    return Halves(path.name, states, later, memory_mb * MB)


def of_account(logs: Any, limits: CacheTtls, now: datetime) -> Iterator[Halves]:
    """Yield each cache of the policy from its log groups; raises RecordsUnreadable and UnusableRecord."""
    start = now - timedelta(hours=limits.observe_hours)
    for cache in limits.caches:
        records = RecordLog(logs).read(cache.log_groups, start, now, limits.max_log_mb)
        times = [float(sample["to_s"]) for sample in records.samples]
        middle = (min(times) + max(times)) / 2 if times else 0.0
        first = [sample for sample in records.samples if sample["to_s"] <= middle]
        second = [sample for sample in records.samples if sample["to_s"] > middle]
        yield Halves(
            cache.name, _states(cache, limits, first, records.metrics), merge_samples(second), cache.memory_mb * MB
        )


def _states(cache: Cache, limits: CacheTtls, samples: list[Any], metrics: Any) -> dict[str, NamespaceState]:
    seen, used = merge_samples(samples), sum_usage(metrics)
    states = {}
    for space in cache.namespaces:
        if space.name not in seen:
            continue
        newest = max((s for s in samples if s["namespace"] == space.name), key=lambda s: float(s["to_s"]))
        usage = used.get(space.name)
        bounds = TtlLimits(
            space.min_ttl_s, space.max_ttl_s, space.max_age_s or float("inf"), max_step_ratio=limits.max_step_ratio
        )
        states[space.name] = NamespaceState(
            float(newest["ttl_s"]),
            bounds,
            seen[space.name],
            entry_bytes=((usage.payload_bytes if usage else None) or 0.0) + OVERHEAD_BYTES,
            sliding=space.sliding,
            target_hit_ratio=space.target_hit_ratio,
        )
    return states


def _rows(path: Path) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    number = 1
    try:
        # Spreadsheets begin their files with a byte order mark.
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", newline="", encoding="utf-8-sig") as text:
            for number, row in enumerate(csv.DictReader(text), start=2):
                at_s = float(row["time_s"])
                if not math.isfinite(at_s) or abs(at_s) > _LARGEST_S:
                    raise UnreadableTrace(f"{path}, row {number}: {row['time_s'][:40]!r} is no time in seconds")
                found.setdefault(row["namespace"], []).append((at_s, row["key"]))
    except UnicodeDecodeError as error:
        raise UnreadableTrace(f"{path} is not encoded in UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableTrace(f"{path} cannot be read: {error}") from error
    except UnreadableTrace:
        raise
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        told = f"{type(error).__name__}: {error}"[:120]
        raise UnreadableTrace(f"{path} is no CSV with time_s, namespace and key: row {number}, {told}") from error
    return found


def _all_keys(rows: Rows, start_s: float, end_s: float) -> SampledReads | None:
    if not rows:
        return None
    return SampledReads(Accesses.of(rows), KeySample(1.0, frozenset(), len(rows)), start_s, end_s)
