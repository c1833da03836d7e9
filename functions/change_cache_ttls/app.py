"""ChangeCacheTtls: publishes the TTLs of a cache, watches what they did, keeps them or publishes the former ones."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws, guardrails
from optimizer.caches.life import ChangeCacheTtls
from optimizer.caches.places import delivery_of
from optimizer.caches.record_log import RecordLog
from optimizer.caches.server_use import read_use
from optimizer.changes import Change
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.guardrails.cache_ttls import Live, cache_name
from optimizer.handling import logged
from optimizer.policy.model import Policy
from optimizer.runs import RunStore
from optimizer.steps import FIELDS, take


@logged("change_cache_ttls", **FIELDS)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_cache_ttls."""
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))
    store, log = RunStore(aws.client("dynamodb"), environment.table), RecordLog(aws.client("logs"))
    cache = policy.cache_ttls.named(cache_name(store.change(event["change_id"]).change.target))

    def recheck(change: Change, live: Live, now: datetime) -> guardrails.Refusal | None:
        return guardrails.recheck(change, live, policy, now)

    life = ChangeCacheTtls(
        store=store,
        cache=cache,
        limits=policy.cache_ttls,
        delivery=delivery_of(cache, aws.client),
        recheck=recheck,
        read_metrics=lambda start, end: log.metrics(cache.log_groups, start, end),
        read_server=lambda: read_use(cache.endpoint),
    )
    return take(life, event, datetime.now(UTC))
