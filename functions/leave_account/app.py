"""LeaveAccount: roll back what is under observation and what is paid for by the hour, before the stack is deleted."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from optimizer.approvals import approver_topics, delete_topics
from optimizer.aws import Environment, clients, custom_resource, logged, one_of
from optimizer.run import Leaving, Left
from optimizer.store import RunStore


@logged("leave_account", RequestType=one_of("Create", "Update", "Delete"))
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Roll back before a deletion. Event and answer: docs/architecture.md, leave_account."""
    try:
        left = _leave(context) if event["RequestType"] == "Delete" else Left()
        if event["RequestType"] == "Delete" and "ResponseURL" in event and not left.remaining:
            # Only with the stack: whoever calls this function by hand keeps the application.
            environment = Environment.read()
            delete_topics(clients.client("sns"), approver_topics(environment.topic_arn, environment.stack))
    except Exception:
        # Without an answer CloudFormation would wait for an hour.
        custom_resource.send(event, "It failed; see the log of the function leave_account.")
        raise
    custom_resource.send(event, _describe_remaining(left))
    return {"outcome": "remains" if left.remaining else "left", **asdict(left)}


def _leave(context: Any) -> Left:
    environment = Environment.read()
    leaving = Leaving(
        store=RunStore(clients.client("dynamodb"), environment.table),
        sfn=clients.client("stepfunctions"),
        optimize_arn=environment.optimize_arn,
        approve_arn=environment.approve_arn,
        change_arn=environment.change_arn,
        sleep=time.sleep,
        remaining_ms=context.get_remaining_time_in_millis,
    )
    return leaving.leave(datetime.now(UTC))


def _describe_remaining(left: Left) -> str:
    """Return one sentence for the person who deletes the stack, or an empty text if nothing remains."""
    if not left.remaining:
        return ""
    reasons = "; ".join(f"{change_id}: {reason}" for change_id, reason in sorted(left.remaining.items()))
    return f"{len(left.remaining)} changes were not rolled back; for what to do see docs/leaving.md: {reasons}"
