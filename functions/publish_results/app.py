"""Tell people what a run did, or how the watch of one change ended."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from optimizer.aws import client
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.report.results import publish_change, publish_run
from optimizer.runs import RunStore

logger = Logger(service="publish_results")
environment = Environment.read()
store = RunStore(client("dynamodb"), environment.table)
documents = Documents(client("s3"), environment.bucket)
sns = client("sns")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`{"step": "run", "run_id", "failed_batches"?}` or `{"step": "change", "run_id", "change_id"}`."""
    now = datetime.now(UTC)
    if event["step"] == "change":
        message_id = publish_change(store, sns, environment.topic_arn, event["change_id"], now)
    else:
        message_id = publish_run(
            store, documents, sns, environment.topic_arn, event["run_id"], event.get("failed_batches", []), now
        )
    logger.info("published", extra={"run_id": event["run_id"], "message_id": message_id})
    return {"outcome": "published", "message_id": message_id}
