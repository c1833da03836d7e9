"""ProvisionFunction: set the provisioned concurrency that a timetable says for now; called by its schedules."""

import logging
from datetime import UTC, datetime
from functools import cache
from typing import Any

from optimizer import guardrails
from optimizer.aws import Environment, ScheduleTarget, clients, logged, name, place
from optimizer.capacity import LambdaAccount, LiveFunction
from optimizer.capacity.provisioned import HoldMinimum, PlacedTimetables, held
from optimizer.core import Change
from optimizer.guardrails import provisioned_concurrency
from optimizer.policy import Policy
from optimizer.store import Documents, NoSuchDocument, RunStore

_log = logging.getLogger(__name__)


@logged("provision_function", function_name=name, alias=name, change_id=name, entry=place)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Set the amount of now; event and answer are in docs/architecture.md, provision_function."""
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)

    @cache
    def policy() -> Policy:
        try:
            return Policy.from_document(documents.read(environment.policy_key))
        except NoSuchDocument:
            return Policy()

    def recheck(change: Change, live: LiveFunction) -> guardrails.Refusal | None:
        limits = clients.client("lambda").get_account_settings()["AccountLimit"]
        there = provisioned_concurrency.ProvisionedState(
            environments=held(live).environments,
            account_unreserved=limits["UnreservedConcurrentExecutions"],
            reserved_concurrency=live.reserved,
        )
        return guardrails.still_allowed(change, there, policy(), live.tags)

    timetables = PlacedTimetables(
        clients.client("scheduler"),
        clients.client("application-autoscaling"),
        ScheduleTarget(environment.schedule_group),
    )
    life = HoldMinimum(
        store=RunStore(clients.client("dynamodb"), environment.table),
        account=LambdaAccount(clients.client("lambda"), clients.client("application-autoscaling")),
        timetables=timetables,
        recheck=recheck,
        holidays=lambda live: policy().rest_days(live.function_name, live.tags).holidays,
    )
    answer = life.hold(event["change_id"], event["entry"], datetime.now(UTC))
    if answer["outcome"] == "left":
        _log.warning("%s:%s stays as it is: %s", event["function_name"], event["alias"], answer["message"])
    return answer
