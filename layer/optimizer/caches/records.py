"""Access samples as the cache client logs them, from many processes and minutes, put together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.caches.replay import Accesses
from optimizer.caches.sample import KeySample

_FINGERPRINTS = 2**64


class UnusableRecord(ValueError):
    """A record that is no access sample; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Reads of one namespace from `from_s` to `to_s` (Unix time); keys are fingerprints of 16 hexadecimal digits."""

    accesses: Accesses
    sample: KeySample
    from_s: float
    to_s: float
    ttl_versions: frozenset[int]


def observations(records: Iterable[Mapping[str, Any]]) -> dict[str, Observation]:
    """By namespace, from `cache_sample` records. Raises UnusableRecord.

    Processes sample at their own rates and follow their own busiest keys. Kept is what all of them would have kept:
    keys below the lowest rate, and the busiest that every record followed. A namespace with no read kept is left out.
    """
    by_namespace: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        by_namespace[_checked(record)].append(record)
    found = {}
    for name, parts in by_namespace.items():
        rate = min(part["rate"] for part in parts)
        exact = frozenset.intersection(*(frozenset(part["keys"][: part["exact"]]) for part in parts))
        below = rate * _FINGERPRINTS
        reads = []
        for part in parts:
            kept = [key in exact or int(key, 16) < below for key in part["keys"]]
            start, keys = part["from_s"], part["keys"]
            reads += [(start + ms / 1000, keys[index]) for ms, index in part["reads_ms"] if kept[index]]
        if reads:
            found[name] = Observation(
                Accesses.of(reads),
                KeySample(rate, exact, sum(part["total_accesses"] for part in parts)),
                min(part["from_s"] for part in parts),
                max(part["to_s"] for part in parts),
                frozenset(part["ttl_version"] for part in parts),
            )
    return found


def _checked(record: Mapping[str, Any]) -> str:
    name = record.get("namespace")
    if not isinstance(name, str):
        raise UnusableRecord("a sample names its namespace")
    for field in ("from_s", "to_s", "rate", "total_accesses", "exact", "ttl_version"):
        if not isinstance(record.get(field), (int, float)) or isinstance(record[field], bool):
            raise UnusableRecord(f"{name}: {field} is a number, not {record.get(field)!r}")
    keys, reads = record.get("keys"), record.get("reads_ms")
    if not isinstance(keys, list) or not isinstance(reads, list):
        raise UnusableRecord(f"{name}: keys and reads_ms are lists")
    if not 0 < record["rate"] <= 1 or not 0 <= record["exact"] <= len(keys):
        raise UnusableRecord(f"{name}: a rate of {record['rate']} or {record['exact']} exact keys cannot be")
    if any(not isinstance(row, list) or len(row) != 2 or not 0 <= row[1] < len(keys) for row in reads):
        raise UnusableRecord(f"{name}: a read names a key that the record does not list")
    return name
