"""ChangeCacheTtls: publishes the TTLs of a cache, observes them, keeps them or publishes the former ones."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from optimizer import guardrails
from optimizer.aws import clients, logged
from optimizer.caches import TtlHooks
from optimizer.caches.publish import publisher_of
from optimizer.caches.tuning import RecordLog
from optimizer.guardrails import cache_name
from optimizer.lifecycle import FIELDS, Setting, handle

if TYPE_CHECKING:
    from optimizer.caches.probe import ServerUse


@logged("change_cache_ttls", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_cache_ttls."""
    return handle(event, context, datetime.now(UTC), _hooks)


def _hooks(setting: Setting) -> TtlHooks:
    policy, log = setting.policy, RecordLog(clients.client("logs"))
    cache = policy.cache_ttls.named(cache_name(setting.change.target))
    return TtlHooks(
        cache=cache,
        limits=policy.cache_ttls,
        publisher=publisher_of(cache, clients.client),
        recheck=lambda change, live, now: guardrails.recheck(change, live, policy, now),
        read_metrics=lambda start, end: log.metrics(cache.log_groups, start, end),
        read_server=lambda: _use_of_server(cache.endpoint),
    )


def _use_of_server(endpoint: str) -> "ServerUse":
    # One of the first and one of the last steps, and only where the policy names a server.
    from optimizer.caches.probe import read_use

    return read_use(endpoint)
