"""StartRun: policy read and checked, lock taken, targets found, manifest written."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from optimizer import aws
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.policy import check
from optimizer.run_start import start
from optimizer.runs import RunStore

LOGGER = Logger(service="start_run")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, start_run."""
    environment = Environment.read()
    answer = start(
        RunStore(aws.client("dynamodb"), environment.table),
        Documents(aws.client("s3"), environment.bucket),
        aws.client("resourcegroupstaggingapi"),
        event,
        policy_key=environment.policy_key,
        read_policy=check.read,
        now=datetime.now(UTC),
    )
    LOGGER.info("start of run", extra={"run_id": event["run_id"], "answer": answer})
    return answer
