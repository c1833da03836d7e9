"""PlanCacheTtls: propose better TTLs for one cache of the policy, or give the reasons for none."""

from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged, name
from optimizer.caches import CachePlanner
from optimizer.caches.probe import Endpoint, ProbeLimits, probe_cache
from optimizer.caches.publish import publisher_of
from optimizer.caches.tuning import RecordLog
from optimizer.policy import Policy
from optimizer.store import Documents, RunStore

# These keys suffice to measure the memory of an entry; `optimizer inspect cache` reads more.
_PROBE = ProbeLimits(keys=2000, seconds=30)


@logged("plan_cache_ttls", run_id=name, target=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle an event; docs/architecture.md, plan_cache_ttls, describes event and answer."""
    run_id, target = event["run_id"], event["target"]
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    limits = Policy.from_document(documents.read(f"runs/{run_id}/policy.json")).cache_ttls
    planner = CachePlanner(
        store=RunStore(clients.client("dynamodb"), environment.table),
        log=RecordLog(clients.client("logs")),
        limits=limits,
        run_id=run_id,
        now=datetime.now(UTC),
        probe=lambda cache: probe_cache(Endpoint(cache.endpoint), _PROBE),
    )
    cache = limits.named(target)
    proposals = planner.plan(cache, publisher_of(cache, clients.client))
    proposals.write(documents, run_id, f"cache_ttls-{target}")
    return proposals.answer(run_id, target=target)
