"""StartRun: the policy is read and checked, the lock taken, the targets found, the batches written."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.runs import RunStore
from optimizer.start import start


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, start_run."""
    environment = Environment.read()
    return start(
        RunStore(aws.client("dynamodb"), environment.table),
        Documents(aws.client("s3"), environment.bucket),
        aws.client("resourcegroupstaggingapi"),
        event["run_id"],
        environment.policy_key,
        event.get("request") or {},
        datetime.now(UTC),
    )
