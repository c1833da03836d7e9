"""Measure each namespace: counters, and the reads of a sample of its keys, from which any TTL can be replayed."""

import json
import threading
from hashlib import blake2b
from typing import Any

from optimizer_cache.sketch import SpaceSaving

_FULL = 2**64
# This many reads are digested together: few enough to delay the call that does it by a fraction of a millisecond.
_TOGETHER = 128
# Every record holds this word, so that one filter finds them all in a log.
_SOURCE = "OptimizerCache"
_METRICS = ("Hits", "Misses", "Loads")


def fingerprint(key: str) -> int:
    """Return 64 bits that stand for a key: uniform, the same in every process, and not the key's name."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class NamespaceMeasure:
    """Measures one namespace between two flushes.

    All reads are kept until there are `most_reads` of them or the flush comes. Only then the busiest keys are chosen.
    Of the other keys, those stay whose fingerprint lies below `rate`, which is halved as often as needed. A sample is
    therefore complete for its keys from its beginning, however young the process is.
    """

    def __init__(self, now: float, rate: float = 0.1, busiest: int = 100, most_reads: int = 5000) -> None:
        if not 0 < rate <= 1:
            raise ValueError(f"rate must lie in (0, 1], not {rate}")
        self._lock = threading.Lock()
        self._rate, self._busiest, self._most_reads = rate, busiest, most_reads
        self._sketch: SpaceSaving[int] = SpaceSaving(4 * busiest)
        self._exact: frozenset[int] = frozenset()
        self._payloads: dict[int, bytes] = {}
        self._turn = -1
        self._reads: list[tuple[float, str]] = []
        self._clear(now)

    def _clear(self, now: float) -> None:
        self._since = now
        self._below = int(self._rate * _FULL)
        self._thinned = False
        self._log: list[tuple[float, int]] = []
        self.hits = self.local_hits = self.misses = self.early = self.failures = 0
        self.loads = self.refills = self.changes = self.stored_bytes = 0
        self.failed_loads = self.stale_hits = 0
        self.load_s = 0.0

    def read(self, key: str, now: float, *, hit: bool, local: bool = False) -> None:
        """Count one read, a hit if the cache or (`local`) the process itself had the value."""
        with self._lock:
            if hit:
                self.hits += 1
                self.local_hits += local
            else:
                self.misses += 1
            self._reads.append((now, key))
            if len(self._reads) >= _TOGETHER:
                self._digest()

    def _digest(self) -> None:
        """Add the latest reads to the sketch and to the log.

        Many together cost less than one by one, and a key that is read more than once among them is hashed once.
        """
        marks: dict[str, int] = {}
        sketch, turn = self._sketch, self._turn
        for now, key in self._reads:
            mark = marks.get(key)
            if mark is None:
                mark = marks[key] = fingerprint(key)
            # One read in four is enough to know the busiest keys, and keeps a read within its budget of microseconds.
            turn = (turn + 1) & 3
            if not turn:
                sketch.add(mark)
            if not self._thinned or mark < self._below or mark in self._exact:
                self._log.append((now, mark))
                if len(self._log) >= self._most_reads:
                    self._thin()
        self._turn = turn
        self._reads.clear()

    def loaded(self, key: str, load_s: float, payload: bytes | None, *, early: bool) -> None:
        """Count one value that was computed at the origin; `payload` is None if it could not be encoded."""
        mark = fingerprint(key)
        with self._lock:
            self.loads += 1
            self.early += early
            self.load_s += load_s
            if payload is None:
                return
            self.stored_bytes += len(payload)
            if mark < self._below or mark in self._exact:
                digest = blake2b(payload, digest_size=8).digest()
                before = self._payloads.get(mark)
                if before is not None:
                    self.refills += 1
                    self.changes += before != digest
                elif len(self._payloads) >= self._most_reads:
                    del self._payloads[next(iter(self._payloads))]
                self._payloads[mark] = digest

    def failed(self) -> None:
        """Count one failed call of the cache."""
        with self._lock:
            self.failures += 1

    def stale(self, *, hit: bool) -> None:
        """Count one entry that was returned because its load failed; `hit` if it was alive."""
        with self._lock:
            self.failed_loads += 1
            self.stale_hits += not hit

    def _thin(self) -> None:
        if not self._thinned:
            self._thinned = True
            self._follow()
        self._drop_above()
        while len(self._log) > self._most_reads // 2 and self._below > 1:
            self._below //= 2
            if self._below < self._rate * _FULL / 8:
                # The busiest keys alone are too many, so they become keys like any other.
                self._exact = frozenset()
            self._drop_above()

    def _follow(self) -> None:
        """Follow the keys followed before, as long as they are still seen, and then the busiest.

        A key that is followed only now and then is of no use when the samples of many processes are merged.
        """
        still = [mark for mark in self._exact if mark in self._sketch]
        busiest = [mark for mark, _ in self._sketch.top(self._busiest) if mark not in self._exact]
        self._exact = frozenset([*still, *busiest][: self._busiest])

    def _drop_above(self) -> None:
        self._log = [row for row in self._log if row[1] < self._below or row[1] in self._exact]

    def due(self, now: float, every_s: float) -> bool:
        """Return True if it is time to flush: after `every_s`, or after a sixth of it once the log has filled up.

        From then on the sample gets thinner the longer it waits.
        """
        waited = now - self._since
        return waited >= every_s or (self._thinned and waited >= every_s / 6)

    def flush(
        self, name: str, ttl_version: int, ttl_s: float, now: float, *, with_metrics: bool = False
    ) -> list[dict[str, Any]]:
        """Return the figures and the sample since the last flush, if any.

        `ttl_version` and `ttl_s` describe the TTL in force, within the bounds compiled in. `with_metrics` makes
        CloudWatch metrics out of three of the figures (embedded metric format).
        """
        with self._lock:
            if not (self.hits or self.misses or self.loads or self.failures):
                return []
            self._digest()
            records = [self._metrics(name, ttl_version, ttl_s, now, with_metrics=with_metrics)]
            if self.hits or self.misses:
                if not self._thinned:
                    self._follow()
                    self._drop_above()
                records.append({"source": _SOURCE, "cache_sample": self._sample(name, ttl_version, ttl_s, now)})
            # Formerly busy keys give way and busy keys stay, so that windows and processes follow the same keys.
            self._sketch.halve()
            self._clear(now)
            return records

    def _sample(self, name: str, ttl_version: int, ttl_s: float, now: float) -> dict[str, Any]:
        exact = sorted(self._exact)
        index = {mark: i for i, mark in enumerate(exact)}
        reads = [[round((at - self._since) * 1000), index.setdefault(mark, len(index))] for at, mark in self._log]
        return {
            "namespace": name,
            "ttl_version": ttl_version,
            "ttl_s": ttl_s,
            "from_s": self._since,
            "to_s": now,
            "rate": self._below / _FULL,
            "total_accesses": self.hits + self.misses,
            "exact": len(exact),
            "keys": [f"{mark:016x}" for mark in index],
            "reads_ms": reads,
        }

    def _metrics(self, name: str, ttl_version: int, ttl_s: float, now: float, *, with_metrics: bool) -> dict[str, Any]:
        values: dict[str, float] = {
            "Hits": self.hits,
            "LocalHits": self.local_hits,
            "Misses": self.misses,
            "Loads": self.loads,
            "EarlyLoads": self.early,
            "FailedLoads": self.failed_loads,
            "StaleHits": self.stale_hits,
            "CacheFailures": self.failures,
            "SampledRefills": self.refills,
            "SampledChanges": self.changes,
        }
        if self.loads:
            values["LoadTime"] = self.load_s * 1000 / self.loads
            values["EntryBytes"] = self.stored_bytes / self.loads
        # Each metric of each namespace costs money, and the optimizer reads the lines.
        directive = {
            "Namespace": _SOURCE,
            "Dimensions": [["CacheNamespace"]],
            "Metrics": [{"Name": metric, "Unit": "Count"} for metric in _METRICS],
        }
        return {
            "_aws": {"Timestamp": round(now * 1000), "CloudWatchMetrics": [directive] if with_metrics else []},
            "source": _SOURCE,
            "CacheNamespace": name,
            "TtlVersion": str(ttl_version),
            "TtlSeconds": ttl_s,
            "FromSeconds": self._since,
            **values,
        }


def lines(records: list[dict[str, Any]]) -> list[str]:
    """Return each record as one line of JSON for the log."""
    return [json.dumps(record, separators=(",", ":")) for record in records]
