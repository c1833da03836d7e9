"""PlanCacheTtls: for one cache of the policy better TTLs, published together, or why not."""

from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged, name
from optimizer.caches import CachePlanner
from optimizer.caches.probe import Endpoint, ProbeLimits, probe_cache
from optimizer.caches.publish import publisher_of
from optimizer.caches.tuning import RecordLog
from optimizer.policy import Policy
from optimizer.store import Documents, RunStore

# Enough keys to know what an entry takes; who wants to know more asks `optimizer inspect cache`.
_PROBE = ProbeLimits(keys=2000, seconds=30)


@logged("plan_cache_ttls", run_id=name, target=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, plan_cache_ttls."""
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
