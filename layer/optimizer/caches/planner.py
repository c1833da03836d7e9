"""Read the facts of one cache and return the proposals for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.caches.probe import CacheFailed, ProbeResult
from optimizer.caches.propose import CacheFacts, propose
from optimizer.caches.publish import TtlPublisher, UnusableDocument
from optimizer.caches.tuning.read_log import RecordLog, RecordsUnreadable
from optimizer.core import Tuner
from optimizer.policy import Cache, CacheTtls
from optimizer.store import Proposals, RunStore


@dataclass(frozen=True, slots=True)
class CachePlanner:
    """Plans the caches of a run. `probe` reads the servers of a cache whose policy names them."""

    store: RunStore
    log: RecordLog
    limits: CacheTtls
    run_id: str
    now: datetime
    probe: Callable[[Cache], ProbeResult]

    def plan(self, cache: Cache, publisher: TtlPublisher) -> Proposals:
        """Return the proposals for one cache, or the reason why it could not be read."""
        target = f"cache/{cache.name}"
        if self.limits.max_log_mb <= 0:
            return Proposals(failed={target: "the policy allows no records to be read (cache_ttls.max_log_mb is 0)"})
        start = self.now - timedelta(hours=self.limits.observe_hours)
        try:
            published = publisher.read().ttls
            records = self.log.read(cache.log_groups, start, self.now, self.limits.max_log_mb)
            probed = self.probe(cache) if cache.endpoint else None
        except (RecordsUnreadable, CacheFailed) as unreadable:
            return Proposals(failed={target: str(unreadable)})
        except UnusableDocument as unusable:
            return Proposals(failed={target: f"the published document is not a TTL document: {unusable}"})
        seen = CacheFacts(
            published=published,
            samples=records.samples,
            metrics=records.metrics,
            left_out=records.left_out,
            probe=probed,
            rolled_back=self._rolled_back(target),
            most_ttl_s=publisher.most_ttl_s(),
        )
        proposals = Proposals()
        for decision in propose(self.run_id, cache, self.limits, seen, self.now):
            proposals.add(decision)
        return proposals

    def _rolled_back(self, target: str) -> dict[str, list[float]]:
        """Return the TTLs that were rolled back lately, by namespace."""
        found: dict[str, list[float]] = {}
        for value in self.store.taken_back(target, Tuner.CACHE_TTLS, self.now):
            name, _, ttl_s = value.rpartition("=")
            found.setdefault(name, []).append(float(ttl_s))
        return found
