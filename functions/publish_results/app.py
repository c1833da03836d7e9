"""PublishResults: publish the report of a run, the outcome of a change, or the review of a quarter."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from optimizer.aws import (
    Environment,
    LinkSigner,
    check_event,
    clients,
    emit_metrics,
    list_of,
    logged,
    name,
    one_of,
    optional,
    record,
    text,
)
from optimizer.report import (
    Channels,
    ReportLink,
    publish_approval,
    publish_change,
    publish_run,
    report_command,
    signed_url,
)
from optimizer.store import Documents, RunStore

# The batches that failed and were tolerated, as the Map collects them.
BATCHES = list_of(record(batch=optional(text), state=optional(text), error=optional(text), cause=optional(text)))


@logged(
    "publish_results", step=one_of("run", "approval", "change", "review"), run_id=name, failed_batches=optional(BATCHES)
)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the answer to an event: docs/architecture.md, publish_results."""
    environment, now = Environment.read(), datetime.now(UTC)
    store = RunStore(clients.client("dynamodb"), environment.table)
    channels = Channels(
        clients.client("sns"), clients.client("events"), environment.topic_arn, environment.programs_topic_arn
    )
    link = _links(environment, now)
    documents = Documents(clients.client("s3"), environment.bucket)
    if event["step"] == "review":
        # Once a month: no other call loads it.
        from optimizer.report import publish_review

        message_id = publish_review(store, documents, channels, event["run_id"], now, link)
        return {"outcome": "published", "message_id": message_id}
    if event["step"] == "change":
        check_event(event, change_id=name)
        published = publish_change(store, channels, event["change_id"], now)
    elif event["step"] == "approval":
        published = publish_approval(store, documents, channels, event["run_id"], now, link)
    else:
        published = publish_run(store, documents, channels, event["run_id"], event.get("failed_batches", []), now, link)
    emit_metrics.emit(published.counts)
    return {"outcome": "published", "message_id": published.message_id}


def _links(environment: Environment, now: datetime) -> Callable[[str], tuple[str, datetime | None]]:
    if not environment.report_url:
        return lambda run_id: (report_command(run_id, environment.stack), None)
    signer = LinkSigner(clients.client("kms"), environment.report_key)
    expires_at = int((now + timedelta(days=int(environment.report_days))).timestamp())

    def link(run_id: str) -> tuple[str, datetime | None]:
        made = ReportLink(run_id, expires_at)
        return signed_url(environment.report_url, made, signer.sign(made)), made.ends

    return link
