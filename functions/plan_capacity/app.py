"""PlanCapacity: for each function of a batch a better memory size or provisioned concurrency, or why not."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.capacity.batch import CapacityPlanner
from optimizer.capacity.live import LambdaAccount
from optimizer.capacity.logs import ReportLog
from optimizer.capacity.timetables import Delivery, PlacedTimetables
from optimizer.changes import Change, Tuner
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.events import name
from optimizer.handling import logged
from optimizer.policy.model import Policy
from optimizer.runs import NoSuchChange, RunStore


@logged("plan_capacity", run_id=name, batch=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, plan_capacity."""
    run_id, batch = event["run_id"], event["batch"]
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    store, now = RunStore(aws.client("dynamodb"), environment.table), datetime.now(UTC)
    scaling = aws.client("application-autoscaling")
    timetables = PlacedTimetables(aws.client("scheduler"), scaling, Delivery(environment.schedule_group))

    def record_of(change_id: str) -> Change | None:
        try:
            return store.change(change_id).change
        except NoSuchChange:
            return None

    planner = CapacityPlanner(
        documents=documents,
        account=LambdaAccount(aws.client("lambda"), scaling, timetables),
        logs=ReportLog(aws.client("logs")),
        policy=Policy.from_document(documents.read(f"runs/{run_id}/policy.json")),
        run_id=run_id,
        now=now,
        taken_back=lambda target: {int(mb) for mb in store.taken_back(target, Tuner.MEMORY, now)},
        change=record_of,
    )
    proposals = planner.plan(batch)
    proposals.write(documents, run_id, f"capacity-{batch}")
    return proposals.answer(run_id, batch=batch)
