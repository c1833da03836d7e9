"""ChangeWarmups: puts a plan of pings in place as one-time schedules, observes them, keeps or deletes them."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from optimizer import guardrails
from optimizer.aws import ScheduleTarget, clients, logged
from optimizer.lifecycle import FIELDS, Setting, handle
from optimizer.policy import settings_of_change
from optimizer.store import PingLog, PlansInPlace, ReadyVersions
from optimizer.warmups import (
    WarmupHooks,
    ping_client,
    read_calls,
    read_concurrency,
    read_room,
    read_target,
    why_not_ready,
)


@logged("change_warmups", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_warmups."""
    return handle(event, context, datetime.now(UTC), _hooks)


def _hooks(setting: Setting) -> WarmupHooks:
    environment, policy = setting.environment, settings_of_change(setting.policy, setting.change)
    keep_free = policy.provisioned_concurrency.account_concurrency_free
    ready = ReadyVersions(clients.client("dynamodb"), environment.table)
    return WarmupHooks(
        log=PingLog(clients.client("dynamodb"), environment.table),
        in_place=PlansInPlace(clients.client("dynamodb"), environment.table),
        scheduler=clients.client("scheduler"),
        schedules=ScheduleTarget(
            environment.schedule_group,
            environment.schedule_role_arn,
            environment.warm_function_arn,
            environment.schedule_dead_letters_arn,
        ),
        recheck=lambda change, live, now: guardrails.recheck(change, live, setting.policy, now),
        read_target=lambda name, alias: read_target(clients.client("lambda"), name, alias, policy.warmups.ready_tag),
        read_calls=partial(read_calls, clients.client("cloudwatch")),
        remaining_ms=setting.remaining_ms,
        watch_minutes=policy.warmups.watch_minutes,
        read_room=lambda name: read_room(clients.client("lambda"), name, 0, keep_free),
        why_not_ready=lambda name, alias, now: why_not_ready(
            clients.client("lambda"), partial(ping_client, 1), ready, name, alias, now
        ),
        read_concurrency=partial(read_concurrency, clients.client("cloudwatch")),
        keep_free=keep_free,
        clock=lambda: datetime.now(UTC),
    )
