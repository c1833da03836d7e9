"""ProvisionFunction: what the schedules of a timetable call; the alias then holds what the timetable says."""

import logging
from datetime import UTC, datetime
from typing import Any

from optimizer import aws, guardrails
from optimizer.capacity.amount import held
from optimizer.capacity.hold import HoldMinimum
from optimizer.capacity.live import LambdaAccount, LiveFunction
from optimizer.capacity.timetables import Delivery, PlacedTimetables
from optimizer.changes import Change
from optimizer.documents import Documents, NoSuchDocument
from optimizer.environment import Environment
from optimizer.events import name, place
from optimizer.guardrails import provisioned_concurrency
from optimizer.handling import logged
from optimizer.policy.model import Policy
from optimizer.runs import RunStore

_log = logging.getLogger(__name__)


@logged("provision_function", function_name=name, alias=name, change_id=name, entry=place)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, provision_function."""
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)

    def recheck(change: Change, live: LiveFunction) -> guardrails.Refusal | None:
        try:
            policy = Policy.from_document(documents.read(environment.policy_key))
        except NoSuchDocument:
            policy = Policy()
        limits = aws.client("lambda").get_account_settings()["AccountLimit"]
        there = provisioned_concurrency.Live(
            environments=held(live).environments,
            account_unreserved=limits["UnreservedConcurrentExecutions"],
            reserved_concurrency=live.reserved,
        )
        return guardrails.still_allowed(change, there, policy)

    timetables = PlacedTimetables(
        aws.client("scheduler"), aws.client("application-autoscaling"), Delivery(environment.schedule_group)
    )
    life = HoldMinimum(
        store=RunStore(aws.client("dynamodb"), environment.table),
        account=LambdaAccount(aws.client("lambda"), aws.client("application-autoscaling")),
        timetables=timetables,
        recheck=recheck,
    )
    answer = life.hold(event["change_id"], event["entry"], datetime.now(UTC))
    if answer["outcome"] == "left":
        _log.warning("%s:%s stays as it is: %s", event["function_name"], event["alias"], answer["message"])
    return answer
