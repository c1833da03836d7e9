"""StartRun: policy read and checked, lock taken, targets found, manifest written."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws, metrics
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.events import name, text
from optimizer.handling import logged
from optimizer.policy import check
from optimizer.run_health import health
from optimizer.run_start import start
from optimizer.runs import RunStore


@logged("start_run", run_id=name, execution_arn=text)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, start_run."""
    environment, now = Environment.read(), datetime.now(UTC)
    store = RunStore(aws.client("dynamodb"), environment.table)
    # Before this run is itself on record. Every schedule comes by here, also where it then has nothing to do.
    metrics.emit(health(store, now))
    return start(
        store,
        Documents(aws.client("s3"), environment.bucket),
        aws.client("resourcegroupstaggingapi"),
        event,
        policy_key=environment.policy_key,
        read_policy=check.read,
        now=now,
    )
