"""Ask people about changes (`step` "ask", answered through the task token), or record that they did not answer."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from optimizer import approval_requests, aws
from optimizer.environment import Environment
from optimizer.handling import logged
from optimizer.runs import RunStore

ENVIRONMENT = Environment.read()
STORE = RunStore(aws.client("dynamodb"), ENVIRONMENT.table)
STEP_FUNCTIONS = aws.client("stepfunctions")


@logged("request_approval")
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """See docs/architecture.md for the events and answers."""
    now = datetime.now(UTC)
    if event["step"] == "expire":
        return approval_requests.expire(STORE, event["run_id"], now)
    return approval_requests.ask(STORE, event, now, _give_back)


def _give_back(task_token: str, answer: Mapping[str, Any]) -> None:
    try:
        STEP_FUNCTIONS.send_task_success(taskToken=task_token, output=json.dumps(answer))
    except (STEP_FUNCTIONS.exceptions.TaskTimedOut, STEP_FUNCTIONS.exceptions.TaskDoesNotExist):
        # An earlier try of this call gave it back, or the run has gone on as rejected: both are recorded.
        return
