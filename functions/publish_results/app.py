"""PublishResults: tell people what a run did, or how the watch of one change ended."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from optimizer import aws, metrics
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.events import check, list_of, name, one_of, optional, record, text
from optimizer.handling import logged
from optimizer.report.links import Link, Signatures
from optimizer.report.results import publish_change, publish_run
from optimizer.report.review_run import publish_review
from optimizer.runs import RunStore

# Those that failed and were tolerated, as the Map collects them.
BATCHES = list_of(record(batch=optional(text), state=optional(text), error=optional(text), cause=optional(text)))


@logged("publish_results", step=one_of("run", "change", "review"), run_id=name, failed_batches=optional(BATCHES))
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, publish_results."""
    environment, now = Environment.read(), datetime.now(UTC)
    store = RunStore(aws.client("dynamodb"), environment.table)
    sns, events = aws.client("sns"), aws.client("events")
    link = _links(environment, now) if environment.report_url else None
    if event["step"] == "review":
        documents = Documents(aws.client("s3"), environment.bucket)
        message_id = publish_review(store, documents, sns, events, environment.topic_arn, event["run_id"], now, link)
        return {"outcome": "published", "message_id": message_id}
    if event["step"] == "change":
        check(event, change_id=name)
        published = publish_change(store, sns, events, environment.topic_arn, event["change_id"], now)
    else:
        documents = Documents(aws.client("s3"), environment.bucket)
        published = publish_run(
            store,
            documents,
            sns,
            events,
            environment.topic_arn,
            event["run_id"],
            event.get("failed_batches", []),
            now,
            link,
        )
    metrics.emit(published.counts)
    return {"outcome": "published", "message_id": published.message_id}


def _links(environment: Environment, now: datetime) -> Callable[[str], tuple[str, datetime]]:
    signatures = Signatures(aws.client("kms"), environment.report_key)
    expires_at = int((now + timedelta(days=int(environment.report_days))).timestamp())

    def link(run_id: str) -> tuple[str, datetime]:
        made = Link(run_id, expires_at)
        return signatures.url(environment.report_url, made), made.ends

    return link
