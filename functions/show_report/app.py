"""ShowReport: a page of a report, for whoever has a link that has not expired."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from optimizer import aws
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.events import check
from optimizer.report import web
from optimizer.report.links import Signatures

ENVIRONMENT = Environment.read()
LOGGER = Logger(service="show_report")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A request of the function URL and its response. The path stays out of the log: it is the right to read."""
    check(event)
    signatures = Signatures(aws.client("kms"), ENVIRONMENT.report_key)
    documents = Documents(aws.client("s3"), ENVIRONMENT.bucket)
    answer = web.respond(event, documents, signatures.are_right, datetime.now(UTC))
    LOGGER.info("shown", extra={"request_id": getattr(context, "aws_request_id", ""), "status": answer["statusCode"]})
    return answer
