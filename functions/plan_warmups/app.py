"""PlanWarmups: proposes the pings that pay for each function of a batch, or says why there are none."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from optimizer import store
from optimizer.aws import Environment, clients, logged, name, paced_lambda, share_of_calls
from optimizer.core import Ping
from optimizer.store import Documents
from optimizer.warmups import plan_batch


@logged("plan_warmups", run_id=name, batch=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, plan_warmups."""
    run_id, batch = event["run_id"], event["batch"]
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)

    def pings_between(function_name: str, first_minute: int, end_minute: int) -> Iterable[Ping]:
        # Loaded only where plans are verified.
        log = store.PingLog(clients.client("dynamodb"), environment.table)
        return log.between(function_name, first_minute, end_minute)

    def ready_version(function_name: str, version: str) -> "store.VersionReadiness | None":
        return store.ReadyVersions(clients.client("dynamodb"), environment.table).read(function_name, version)

    proposals = plan_batch(
        paced_lambda(share_of_calls(environment)),
        clients.client("scheduler"),
        documents,
        pings_between,
        environment.schedule_group,
        run_id,
        batch,
        datetime.now(UTC),
        ready_version,
    )
    proposals.write(documents, run_id, f"warmups-{batch}")
    return proposals.answer(run_id, batch=batch)
