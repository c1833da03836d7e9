"""ChangeWarmups: puts a plan of pings in place as one-time schedules, watches them, keeps or takes them away."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from optimizer import aws, guardrails
from optimizer.changes import Change
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.guardrails import warmups as guardrail
from optimizer.handling import logged
from optimizer.policy.model import Policy
from optimizer.runs import RunStore
from optimizer.steps import FIELDS, take
from optimizer.warmups.change import ChangeWarmups
from optimizer.warmups.in_place import PlansInPlace
from optimizer.warmups.live import read_calls, read_target
from optimizer.warmups.ping_log import PingLog
from optimizer.warmups.schedules import Delivery


@logged("change_warmups", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_warmups."""
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))

    def recheck(change: Change, live: guardrail.Live, now: datetime) -> guardrails.Refusal | None:
        return guardrails.recheck(change, live, policy, now)

    life = ChangeWarmups(
        store=RunStore(aws.client("dynamodb"), environment.table),
        log=PingLog(aws.client("dynamodb"), environment.table),
        in_place=PlansInPlace(aws.client("dynamodb"), environment.table),
        scheduler=aws.client("scheduler"),
        delivery=Delivery(
            environment.schedule_group,
            environment.schedule_role_arn,
            environment.warm_function_arn,
            environment.schedule_dead_letters_arn,
        ),
        recheck=recheck,
        read_target=lambda name, alias: read_target(aws.client("lambda"), name, alias, policy.warmups.ready_tag),
        read_calls=partial(read_calls, aws.client("cloudwatch")),
        remaining_ms=context.get_remaining_time_in_millis,
        watch_minutes=policy.warmups.watch_minutes,
    )
    return take(life, event, datetime.now(UTC))
