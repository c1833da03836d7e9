"""Show approvers the question of a run and take their answers: through signed links, or invoked directly with IAM."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from optimizer.approvals import (
    PageServices,
    direct_step,
    failure_response,
    respond_directly,
    respond_to_page_request,
    run_teller,
    show_approval_request,
)
from optimizer.aws import Environment, LinkSigner, clients
from optimizer.store import RunStore

ENVIRONMENT = Environment.read()
STORE = RunStore(clients.client("dynamodb"), ENVIRONMENT.table)
SIGNATURES = LinkSigner(clients.client("kms"), ENVIRONMENT.approval_key)
# A run that was told by a first try, of which the answer was lost, would look to a second as if it waited no more.
TELL_RUN = run_teller(clients.client("stepfunctions", once=True))
LOGGER = Logger(service="answer_approval")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """See docs/architecture.md for the events and answers. A request of the function URL cannot be made to look like an
    invocation: it always has a `requestContext`."""
    now = datetime.now(UTC)
    if isinstance(event, dict) and "requestContext" in event:
        outcome, answer = _page(event, now)
    elif direct_step(event) == "show":
        answer = show_approval_request(STORE, event["run_id"])
        outcome = answer["outcome"]
    else:
        answer = respond_directly(STORE, event, now, TELL_RUN)
        outcome = answer["outcome"]
    # Neither links nor what was typed go into the log.
    names = {"request_id": getattr(context, "aws_request_id", ""), "status": answer.get("statusCode", "")}
    LOGGER.info(outcome, extra={**names, "run_id": event.get("run_id", "")})
    return answer


def _page(event: dict[str, Any], now: datetime) -> tuple[str, dict[str, Any]]:
    try:
        return respond_to_page_request(event, PageServices(STORE, SIGNATURES, TELL_RUN), now)
    except Exception:
        # The one place where everything is caught: whoever is at the other end must not see how it broke.
        LOGGER.exception("a request could not be answered")
        return "failed", failure_response()
