"""What the cache client's metrics records say of each namespace. Pure, and without numpy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_COUNTS = ("Hits", "Misses", "Loads", "EarlyLoads", "CacheFailures", "SampledRefills", "SampledChanges")


@dataclass(frozen=True, slots=True)
class NamespaceUsage:
    """One namespace from `from_s` to `to_s` (Unix time), over all processes. `load_ms`: mean time of a load at the
    origin; `payload_bytes`: mean size of a stored value; None without a load. `failures`: of the cache."""

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
        """0 without reads."""
        return self.hits / self.reads if self.reads else 0.0

    @property
    def miss_ms_per_read(self) -> float | None:
        """Time at the origin for each read, ms; None where it is not known."""
        if not self.reads or (self.loads and self.load_ms is None):
            return None
        return self.loads * (self.load_ms or 0.0) / self.reads

    @property
    def change_share(self) -> float | None:
        """Share of the reloads (of a sample of keys) that brought another value; None without any."""
        return self.changes / self.refills if self.refills else None


def usages(records: Iterable[Mapping[str, Any]], version: int | None = None) -> dict[str, NamespaceUsage]:
    """By namespace, from the records of one TTL version or of all. What is no such record is left out: a log holds
    what other software writes, too."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if is_metrics(record) and version in (None, int(record["TtlVersion"])):
            rows.setdefault(record["CacheNamespace"], []).append(record)
    return {name: _summed(parts) for name, parts in rows.items()}


def is_metrics(record: Mapping[str, Any]) -> bool:
    """Whether it is a metrics record of the client, with the fields that are needed here."""
    stamp = record.get("_aws")
    return (
        isinstance(stamp, Mapping)
        and _is_number(stamp.get("Timestamp"))
        and isinstance(record.get("CacheNamespace"), str)
        and str(record.get("TtlVersion", "")).isdecimal()
        and all(_is_number(record.get(name)) and record[name] >= 0 for name in (*_COUNTS, "FromSeconds"))
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
    known = [part for part in parts if part["Loads"] > 0 and _is_number(part.get(name))]
    loads = sum(part["Loads"] for part in known)
    return sum(part[name] * part["Loads"] for part in known) / loads if loads else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
