"""Show approvers the question of a run and take their answers: through signed links, or invoked directly with IAM."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from optimizer.approvals import direct, http
from optimizer.aws import Environment, LinkSigner, clients
from optimizer.store import RunStore

ENVIRONMENT = Environment.read()
STORE = RunStore(clients.client("dynamodb"), ENVIRONMENT.table)
SIGNATURES = LinkSigner(clients.client("kms"), ENVIRONMENT.approval_key)
# A run that was told by a first try, of which the answer was lost, would look to a second as if it waited no more.
STEP_FUNCTIONS = clients.client("stepfunctions", once=True)
LOGGER = Logger(service="answer_approval")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """See docs/architecture.md for the events and answers. A request of the function URL cannot be made to look like an
    invocation: it always has a `requestContext`."""
    now = datetime.now(UTC)
    if isinstance(event, dict) and "requestContext" in event:
        outcome, answer = _page(event, now)
    elif direct.step_of(event) == "show":
        answer = direct.show(STORE, event["run_id"])
        outcome = answer["outcome"]
    else:
        answer = direct.take(STORE, event, now, _give_back)
        outcome = answer["outcome"]
    # Neither links nor what was typed go into the log.
    names = {"request_id": getattr(context, "aws_request_id", ""), "status": answer.get("statusCode", "")}
    LOGGER.info(outcome, extra={**names, "run_id": event.get("run_id", "")})
    return answer


def _page(event: dict[str, Any], now: datetime) -> tuple[str, dict[str, Any]]:
    try:
        return http.respond(event, http.Desk(STORE, SIGNATURES, _give_back), now)
    except Exception:
        # The one place where everything is caught: whoever is at the other end must not see how it broke.
        LOGGER.exception("a request could not be answered")
        return "failed", http.response(http.failed(), "GET")


def _give_back(task_token: str, answer: Mapping[str, Any]) -> bool:
    try:
        STEP_FUNCTIONS.send_task_success(taskToken=task_token, output=json.dumps(answer))
    except (STEP_FUNCTIONS.exceptions.TaskTimedOut, STEP_FUNCTIONS.exceptions.TaskDoesNotExist):
        return False
    return True
