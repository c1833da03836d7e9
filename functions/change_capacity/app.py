"""ChangeCapacity: applies, watches, keeps or takes back one change of memory or provisioned concurrency."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from optimizer import aws, guardrails
from optimizer.capacity.amount import held
from optimizer.capacity.life import ChangeCapacity
from optimizer.capacity.live import LambdaAccount, LiveFunction
from optimizer.capacity.logs import ReportLog
from optimizer.capacity.measure import Measure
from optimizer.capacity.timetables import Delivery, PlacedTimetables
from optimizer.capacity.used_memory import read_used_memory
from optimizer.changes import Change, Tuner
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.guardrails import memory, provisioned_concurrency
from optimizer.handling import logged
from optimizer.policy.model import Policy
from optimizer.runs import RunStore
from optimizer.steps import FIELDS, take


@logged("change_capacity", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_capacity."""
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))

    def recheck(change: Change, live: LiveFunction, now: datetime) -> guardrails.Refusal | None:
        if change.tuner is Tuner.MEMORY:
            return guardrails.recheck(change, memory.Live(live.version.memory_mb), policy, now)
        limits = aws.client("lambda").get_account_settings()["AccountLimit"]
        there = provisioned_concurrency.Live(
            environments=held(live).environments,
            account_unreserved=limits["UnreservedConcurrentExecutions"],
            reserved_concurrency=live.reserved,
        )
        return guardrails.recheck(change, there, policy, now)

    timetables = PlacedTimetables(
        aws.client("scheduler"),
        aws.client("application-autoscaling"),
        Delivery(
            environment.schedule_group,
            environment.schedule_role_arn,
            environment.provision_function_arn,
            environment.schedule_dead_letters_arn,
        ),
    )
    life = ChangeCapacity(
        store=RunStore(aws.client("dynamodb"), environment.table),
        account=LambdaAccount(aws.client("lambda"), aws.client("application-autoscaling"), timetables),
        policy=policy,
        recheck=recheck,
        measure=Measure(aws.client("cloudwatch")),
        used_memory=partial(read_used_memory, ReportLog(aws.client("logs")), max_scan_mb=policy.memory.max_log_scan_mb),
        sleep=time.sleep,
        remaining_ms=context.get_remaining_time_in_millis,
        clock=lambda: datetime.now(UTC),
        timetables=timetables,
    )
    return take(life, event, datetime.now(UTC))
