"""CheckGuardrails: check all proposals of a run together against the policy; record the plan and its changes."""

from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged, name
from optimizer.run import check_run
from optimizer.store import Documents, RunStore


@logged("check_guardrails", run_id=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Check a run's proposals. Event and answer: docs/architecture.md, check_guardrails."""
    environment = Environment.read()
    return check_run(
        RunStore(clients.client("dynamodb"), environment.table),
        Documents(clients.client("s3"), environment.bucket),
        event["run_id"],
        _unreserved_concurrency,
        datetime.now(UTC),
    )


def _unreserved_concurrency() -> int:
    limit: int = clients.client("lambda").get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    return limit
