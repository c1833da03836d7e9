"""Sum the cache client's metrics records for each namespace. Pure, and without numpy."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.caches.tuning.check_records import is_number

_COUNTS = ("Hits", "Misses", "Loads", "EarlyLoads", "CacheFailures", "SampledRefills", "SampledChanges")
_VERSION = re.compile("[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class NamespaceUsage:
    """The use of one namespace from `from_s` to `to_s` (Unix time), over all processes.

    `failures` counts failed calls of the cache. `load_ms` is the mean time of a load at the origin and `payload_bytes`
    the mean size of a stored value; both are None without a load.
    """

    reads: float
    hits: float
    loads: float
    failures: float
    refills: float
    changes: float
    load_ms: float | None
    payload_bytes: float | None
    from_s: float
    to_s: float

    @property
    def hit_ratio(self) -> float:
        """Return the share of reads that hit, 0 without reads."""
        return self.hits / self.reads if self.reads else 0.0

    @property
    def miss_ms_per_read(self) -> float | None:
        """Return the time at the origin for each read, in ms; None where it is not known."""
        if not self.reads or (self.loads and self.load_ms is None):
            return None
        return self.loads * (self.load_ms or 0.0) / self.reads

    @property
    def change_share(self) -> float | None:
        """Return the share of reloads (of a sample of keys) that brought another value; None without any reload."""
        return self.changes / self.refills if self.refills else None


def sum_usage(records: Iterable[Mapping[str, Any]], version: int | None = None) -> dict[str, NamespaceUsage]:
    """Return the use of each namespace, from the records of one TTL version or of all.

    Other records are left out, because other software writes to the same log.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if is_metrics(record) and version in (None, int(record["TtlVersion"])):
            rows.setdefault(record["CacheNamespace"], []).append(record)
    return {name: _summed(parts) for name, parts in rows.items()}


def is_metrics(record: Mapping[str, Any]) -> bool:
    """Return True for a metrics record of the client that has the fields needed here."""
    stamp = record.get("_aws")
    return (
        isinstance(stamp, Mapping)
        and is_number(stamp.get("Timestamp"))
        and isinstance(record.get("CacheNamespace"), str)
        and _VERSION.fullmatch(str(record.get("TtlVersion", ""))) is not None
        and all(is_number(record.get(name)) and record[name] >= 0 for name in (*_COUNTS, "FromSeconds"))
        and record["FromSeconds"] <= stamp["Timestamp"] / 1000 + 1
    )


def _summed(parts: list[Mapping[str, Any]]) -> NamespaceUsage:
    sums = {name: float(sum(part[name] for part in parts)) for name in _COUNTS}
    return NamespaceUsage(
        reads=sums["Hits"] + sums["Misses"],
        hits=sums["Hits"],
        loads=sums["Loads"],
        failures=sums["CacheFailures"],
        refills=sums["SampledRefills"],
        changes=sums["SampledChanges"],
        load_ms=_mean(parts, "LoadTime"),
        payload_bytes=_mean(parts, "EntryBytes"),
        from_s=min(float(part["FromSeconds"]) for part in parts),
        to_s=max(float(part["_aws"]["Timestamp"]) / 1000 for part in parts),
    )


def _mean(parts: list[Mapping[str, Any]], name: str) -> float | None:
    known = [part for part in parts if part["Loads"] > 0 and is_number(part.get(name)) and part[name] >= 0]
    loads = sum(part["Loads"] for part in known)
    return sum(part[name] * part["Loads"] for part in known) / loads if loads else None
