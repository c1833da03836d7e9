"""ChangeCacheTtls: publishes the TTLs of a cache, watches what they did, keeps them or publishes the former ones."""

from datetime import UTC, datetime
from typing import Any

from optimizer import guardrails
from optimizer.aws import Environment, clients, logged
from optimizer.caches import ChangeCacheTtls, read_use
from optimizer.caches.publish import delivery_of
from optimizer.caches.tuning import RecordLog
from optimizer.core import Change
from optimizer.guardrails import CacheTtlState, cache_name
from optimizer.lifecycle import FIELDS, take
from optimizer.policy import Policy
from optimizer.store import Documents, RunStore


@logged("change_cache_ttls", **FIELDS)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_cache_ttls."""
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))
    store, log = RunStore(clients.client("dynamodb"), environment.table), RecordLog(clients.client("logs"))
    cache = policy.cache_ttls.named(cache_name(store.change(event["change_id"]).change.target))

    def recheck(change: Change, live: CacheTtlState, now: datetime) -> guardrails.Refusal | None:
        return guardrails.recheck(change, live, policy, now)

    life = ChangeCacheTtls(
        store=store,
        cache=cache,
        limits=policy.cache_ttls,
        delivery=delivery_of(cache, clients.client),
        recheck=recheck,
        read_metrics=lambda start, end: log.metrics(cache.log_groups, start, end),
        read_server=lambda: read_use(cache.endpoint),
    )
    return take(life, event, datetime.now(UTC))
