"""Find the one record that would outweigh all the others. Pure, and without numpy.

A record may be possible, field by field, and still be none of the client's: whoever can write one line to the log could
otherwise stop a planning (a rate of almost zero leaves no other read), steer it, or roll a change back. So no record
counts that alone says more than all others of its namespace together, where there are enough others to tell.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from optimizer.caches.tuning.check_records import is_number

# With fewer records, a single process may well have most of the reads.
_ENOUGH = 8
# The client halves its rate where a process is busy, at most this often below the others.
_LOWEST_SHARE = 1 / 64
# A frozen process reports late; more than so many spans before all others is no time that it can have been frozen.
_SPAN_BEFORE = 1.0
# No mean of one process is this many times that of the others.
_UNUSUAL = 1000.0
_COUNTS = ("Hits", "Misses", "Loads", "EarlyLoads", "CacheFailures", "SampledRefills", "SampledChanges")


def outlying_samples(samples: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the positions of the samples that outweigh all others of their namespace."""
    return _outlying(samples, "namespace", _is_outlying_sample)


def outlying_metrics(records: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the positions of the metrics records that outweigh all others of their namespace."""
    return _outlying(records, "CacheNamespace", _is_outlying_metrics)


type _Rule = Callable[[Sequence[Mapping[str, Any]]], Callable[[Mapping[str, Any]], bool]]


def _outlying(records: Sequence[Mapping[str, Any]], name: str, rule: _Rule) -> list[int]:
    by_name: dict[str, list[int]] = {}
    for i, record in enumerate(records):
        by_name.setdefault(record[name], []).append(i)
    found: list[int] = []
    for positions in by_name.values():
        if len(positions) > _ENOUGH:
            is_outlying = rule([records[i] for i in positions])
            found += [i for i in positions if is_outlying(records[i])]
    return sorted(found)


def _is_outlying_sample(samples: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], bool]:
    total = sum(sample["total_accesses"] for sample in samples)
    rate = median(sample["rate"] for sample in samples)
    begins = sorted(sample["from_s"] for sample in samples)
    span_s = max(sample["to_s"] for sample in samples) - begins[1]
    versions: dict[tuple[Any, Any], int] = {}
    for sample in samples:
        versions[sample["ttl_version"], sample["ttl_s"]] = versions.get((sample["ttl_version"], sample["ttl_s"]), 0) + 1

    def is_outlying(sample: Mapping[str, Any]) -> bool:
        return bool(
            2 * sample["total_accesses"] > total
            or sample["rate"] < rate * _LOWEST_SHARE
            or sample["from_s"] < begins[1] - _SPAN_BEFORE * max(span_s, 1.0)
            or (sample["rate"] == 1.0 and sample["total_accesses"] != len(sample["reads_ms"]))
        )

    return is_outlying


def _is_outlying_metrics(records: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], bool]:
    totals = {count: sum(record[count] for record in records) for count in _COUNTS}
    usual = {what: _median(records, what) for what in ("LoadTime", "EntryBytes")}
    begins = sorted(record["FromSeconds"] for record in records)
    span_s = max(record["_aws"]["Timestamp"] / 1000 for record in records) - begins[1]
    reads = totals["Hits"] + totals["Misses"]

    def is_outlying(record: Mapping[str, Any]) -> bool:
        own = record["Hits"] + record["Misses"]
        return bool(
            2 * own > reads
            # Each read asks for its version and its entry, and stores it: more failures than that are none of its own.
            or record["CacheFailures"] > 4 * own + 100
            # What one process reports in one record is no failing cache, and two of them are.
            or (2 * record["CacheFailures"] > totals["CacheFailures"] and record["CacheFailures"] > own / 100)
            or record["Loads"] > own + record["EarlyLoads"] + 100
            or record["FromSeconds"] < begins[1] - _SPAN_BEFORE * max(span_s, 1.0)
            or any(_number(record, what) > _UNUSUAL * max(1.0, most) for what, most in usual.items())
        )

    return is_outlying


def _number(record: Mapping[str, Any], what: str) -> float:
    value = record.get(what)
    return float(value) if is_number(value) and record["Loads"] else 0.0  # type: ignore[arg-type]


def _median(records: Sequence[Mapping[str, Any]], what: str) -> float:
    return median(_number(record, what) for record in records)
