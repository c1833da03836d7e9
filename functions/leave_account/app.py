"""LeaveAccount: as the stack is deleted, takes back what is still on trial and what is paid for by the hour."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, custom_resource, logged, one_of
from optimizer.run import Leaving, Left
from optimizer.store import RunStore


@logged("leave_account", RequestType=one_of("Create", "Update", "Delete"))
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, leave_account."""
    try:
        left = _leave(context) if event["RequestType"] == "Delete" else Left()
    except Exception:
        # CloudFormation would wait an hour for an answer.
        custom_resource.send(event, "It failed; the log of the function leave_account says how.")
        raise
    custom_resource.send(event, _what_remains(left))
    return {"outcome": "remains" if left.remaining else "left", **asdict(left)}


def _leave(context: Any) -> Left:
    environment = Environment.read()
    leaving = Leaving(
        store=RunStore(clients.client("dynamodb"), environment.table),
        sfn=clients.client("stepfunctions"),
        optimize_arn=environment.optimize_arn,
        change_arn=environment.change_arn,
        sleep=time.sleep,
        remaining_ms=context.get_remaining_time_in_millis,
    )
    return leaving.leave(datetime.now(UTC))


def _what_remains(left: Left) -> str:
    """One sentence for whoever deletes the stack; empty if nothing does."""
    if not left.remaining:
        return ""
    named = "; ".join(f"{change_id}: {why}" for change_id, why in sorted(left.remaining.items()))
    return f"{len(left.remaining)} changes are not taken back, docs/leaving.md says what to do: {named}"
