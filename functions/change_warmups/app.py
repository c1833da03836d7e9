"""ChangeWarmups: puts a plan of pings in place as one-time schedules, watches them, keeps or takes them away."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from optimizer import guardrails
from optimizer.aws import Environment, ScheduleTarget, clients, logged
from optimizer.core import Change
from optimizer.guardrails import warmups as guardrail
from optimizer.lifecycle import FIELDS, take
from optimizer.policy import Policy
from optimizer.store import Documents, PingLog, PlansInPlace, RunStore
from optimizer.warmups import ChangeWarmups, read_calls, read_target


@logged("change_warmups", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_warmups."""
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))

    def recheck(change: Change, live: guardrail.WarmupState, now: datetime) -> guardrails.Refusal | None:
        return guardrails.recheck(change, live, policy, now)

    life = ChangeWarmups(
        store=RunStore(clients.client("dynamodb"), environment.table),
        log=PingLog(clients.client("dynamodb"), environment.table),
        in_place=PlansInPlace(clients.client("dynamodb"), environment.table),
        scheduler=clients.client("scheduler"),
        schedules=ScheduleTarget(
            environment.schedule_group,
            environment.schedule_role_arn,
            environment.warm_function_arn,
            environment.schedule_dead_letters_arn,
        ),
        recheck=recheck,
        read_target=lambda name, alias: read_target(clients.client("lambda"), name, alias, policy.warmups.ready_tag),
        read_calls=partial(read_calls, clients.client("cloudwatch")),
        remaining_ms=context.get_remaining_time_in_millis,
        watch_minutes=policy.warmups.watch_minutes,
    )
    return take(life, event, datetime.now(UTC))
