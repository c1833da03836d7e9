"""PublishResults: tell people what a run did, or how the watch of one change ended."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.handling import logged
from optimizer.report.results import publish_change, publish_run
from optimizer.runs import RunStore


@logged("publish_results")
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, publish_results."""
    environment, now = Environment.read(), datetime.now(UTC)
    store = RunStore(aws.client("dynamodb"), environment.table)
    sns, events = aws.client("sns"), aws.client("events")
    if event["step"] == "change":
        message_id = publish_change(store, sns, events, environment.topic_arn, event["change_id"], now)
    else:
        documents = Documents(aws.client("s3"), environment.bucket)
        message_id = publish_run(
            store,
            documents,
            sns,
            events,
            environment.topic_arn,
            event["run_id"],
            event.get("failed_batches", []),
            now,
        )
    return {"outcome": "published", "message_id": message_id}
