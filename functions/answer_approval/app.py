"""AnswerApproval: show an approval request and record responses, through signed links or direct calls with IAM."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from optimizer.approvals import (
    PageServices,
    direct_step,
    failure_response,
    people_teller,
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
# After a first attempt that succeeded without a response, a second one would find that the run no longer waits.
TELL_RUN = run_teller(clients.client("stepfunctions", once=True))
TELL_PEOPLE = people_teller(lambda: clients.client("lambda"), f"{ENVIRONMENT.stack}-request_approval")
LOGGER = Logger(service="answer_approval")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the answer to an event: docs/architecture.md, answer_approval.

    A request of the function URL cannot look like a direct call: it always has a `requestContext`.
    """
    now = datetime.now(UTC)
    if isinstance(event, dict) and "requestContext" in event:
        outcome, answer = _page(event, now)
    elif direct_step(event) == "show":
        answer = show_approval_request(STORE, event["run_id"])
        outcome = answer["outcome"]
    else:
        answer = respond_directly(STORE, event, now, TELL_RUN, TELL_PEOPLE)
        outcome = answer["outcome"]
    # Links and typed text must not be in the log.
    origin = _origin(event) if outcome == "answered" else {}
    names = {**origin, "request_id": getattr(context, "aws_request_id", ""), "status": answer.get("statusCode", "")}
    LOGGER.info(outcome, extra={**names, "run_id": event.get("run_id", "")})
    return answer


def _origin(event: dict[str, Any]) -> dict[str, str]:
    """Return the address and browser of a response: personal data, which the log keeps for a while, and no record."""
    http = event.get("requestContext", {}).get("http", {})
    found = {"address": http.get("sourceIp"), "browser": http.get("userAgent")}
    return {name: str(value)[:300] for name, value in found.items() if value}


def _page(event: dict[str, Any], now: datetime) -> tuple[str, dict[str, Any]]:
    try:
        return respond_to_page_request(event, PageServices(STORE, SIGNATURES, TELL_RUN, TELL_PEOPLE), now)
    except Exception:
        # Everything is caught here, because the sender of a request must not see what failed.
        LOGGER.exception("a request failed")
        return "failed", failure_response()
