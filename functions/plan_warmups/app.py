"""PlanWarmups: proposes the pings that pay for each function of a batch, or says why there are none."""

from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged, name, paced_lambda, share_of_calls
from optimizer.store import Documents
from optimizer.warmups import plan_batch


@logged("plan_warmups", run_id=name, batch=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, plan_warmups."""
    run_id, batch = event["run_id"], event["batch"]
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    proposals = plan_batch(
        paced_lambda(share_of_calls(environment)),
        clients.client("scheduler"),
        documents,
        environment.schedule_group,
        run_id,
        batch,
        datetime.now(UTC),
    )
    proposals.write(documents, run_id, f"warmups-{batch}")
    return proposals.answer(run_id, batch=batch)
