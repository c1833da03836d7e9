"""Check what the cache client logs, field by field and the fields with each other. Pure, and without numpy.

Whoever can write to the log can write anything (CWE-20), so a record that the client cannot have written is left out
alone, and the others are used.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.core import OptimizerError

_KEY = re.compile("[0-9a-f]{16}")
_LONGEST_NAME = 200
_MOST_KEYS = 100_000
# The clock of a process may be so far ahead.
_AHEAD_S = 300.0
# A read counts where it ends, so it may have begun before its record, which another thread's flush began. A flush that
# waits for the published TTLs takes in reads that began after it.
_BESIDE_MS = 300_000.0
# A process that was frozen writes at its next call what it measured before.
_BEFORE_S = 86_400.0
_LARGEST = 2**53


class UnusableRecord(OptimizerError, ValueError):
    """The record is not an access sample; the message says why."""


def check_sample(record: Mapping[str, Any]) -> str:
    """Return the namespace of an access sample. Raise UnusableRecord if a field of it cannot be."""
    name = record.get("namespace")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise UnusableRecord("a sample names its namespace")
    for field in ("from_s", "to_s", "rate", "ttl_s"):
        if not is_number(record.get(field)):
            raise UnusableRecord(f"{name}: {field} is a number, not {_short(record.get(field))}")
    for field in ("total_accesses", "exact", "ttl_version"):
        if not _is_count(record.get(field)):
            raise UnusableRecord(f"{name}: {field} is a whole number from 0 on, not {_short(record.get(field))}")
    if not 0 < record["rate"] <= 1 or record["ttl_s"] < 0 or record["from_s"] > record["to_s"]:
        raise UnusableRecord(f"{name}: a rate of {record['rate']}, its TTL or its times cannot be")
    _check_reads(record, name)
    return name


def _check_reads(record: Mapping[str, Any], name: str) -> None:
    keys, reads = record.get("keys"), record.get("reads_ms")
    if not isinstance(keys, list) or not isinstance(reads, list):
        raise UnusableRecord(f"{name}: keys and reads_ms are lists")
    if len(keys) > _MOST_KEYS or not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        raise UnusableRecord(f"{name}: a key has 16 hexadecimal digits")
    longest_ms = (record["to_s"] - record["from_s"]) * 1000 + _BESIDE_MS
    if not all(_is_read(row, len(keys), longest_ms) for row in reads):
        raise UnusableRecord(f"{name}: a read names a key that the record does not list, or another time")
    if record["exact"] > len(keys) or record["total_accesses"] < len(reads):
        raise UnusableRecord(f"{name}: it counts more exact keys or lists more reads than there were")


def is_in_time(from_s: float, to_s: float, start_s: float, end_s: float) -> bool:
    """Return True if a record from `from_s` to `to_s` can be in the log from `start_s` to `end_s`."""
    return start_s - _BEFORE_S <= from_s <= to_s <= end_s + _AHEAD_S and to_s >= start_s - _AHEAD_S


def is_number(value: object) -> bool:
    """Return True for a number that is finite and not too large to calculate with."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= _LARGEST if isinstance(value, int) else math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and is_number(value) and value >= 0


def _is_read(row: object, keys: int, longest_ms: float) -> bool:
    if not isinstance(row, Sequence) or isinstance(row, str) or len(row) != 2:
        return False
    at_ms, index = row
    is_index = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < keys
    return is_index and is_number(at_ms) and -_BESIDE_MS <= at_ms <= longest_ms


def _short(value: object) -> str:
    return repr(value)[:40]
