"""PlanCacheTtls: for one cache of the policy better TTLs, published together, or why not."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.caches.places import delivery_of
from optimizer.caches.planning import CachePlanner
from optimizer.caches.probe import probe
from optimizer.caches.reading import Limits
from optimizer.caches.record_log import RecordLog
from optimizer.caches.server import Endpoint
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.events import name
from optimizer.handling import logged
from optimizer.policy.model import Policy
from optimizer.runs import RunStore

# Enough keys to know what an entry takes; who wants to know more asks `optimizer inspect cache`.
_PROBE = Limits(keys=2000, seconds=30)


@logged("plan_cache_ttls", run_id=name, target=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, plan_cache_ttls."""
    run_id, target = event["run_id"], event["target"]
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    limits = Policy.from_document(documents.read(f"runs/{run_id}/policy.json")).cache_ttls
    planner = CachePlanner(
        store=RunStore(aws.client("dynamodb"), environment.table),
        log=RecordLog(aws.client("logs")),
        limits=limits,
        run_id=run_id,
        now=datetime.now(UTC),
        probe=lambda cache: probe(Endpoint(cache.endpoint), _PROBE),
    )
    cache = limits.named(target)
    proposals = planner.plan(cache, delivery_of(cache, aws.client))
    proposals.write(documents, run_id, f"cache_ttls-{target}")
    return proposals.answer(run_id, target=target)
