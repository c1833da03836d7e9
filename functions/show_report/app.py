"""ShowReport: return a page of a report for a link that has not expired."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from optimizer.aws import Environment, LinkSigner, check_event, clients
from optimizer.report import respond_to_report_request
from optimizer.store import Documents

ENVIRONMENT = Environment.read()
LOGGER = Logger(service="show_report")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the response to a request of the function URL. The path is not logged: it is the right to read."""
    check_event(event)
    signer = LinkSigner(clients.client("kms"), ENVIRONMENT.report_key)
    documents = Documents(clients.client("s3"), ENVIRONMENT.bucket)
    answer = respond_to_report_request(event, documents, signer.is_valid, datetime.now(UTC))
    LOGGER.info("shown", extra={"request_id": getattr(context, "aws_request_id", ""), "status": answer["statusCode"]})
    return answer
