"""StartRun: policy read and checked, lock taken, targets found, manifest written."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.handling import logged
from optimizer.policy import check
from optimizer.run_start import start
from optimizer.runs import RunStore


@logged("start_run")
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, start_run."""
    environment = Environment.read()
    return start(
        RunStore(aws.client("dynamodb"), environment.table),
        Documents(aws.client("s3"), environment.bucket),
        aws.client("resourcegroupstaggingapi"),
        event,
        policy_key=environment.policy_key,
        read_policy=check.read,
        now=datetime.now(UTC),
    )
