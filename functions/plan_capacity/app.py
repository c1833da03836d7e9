"""PlanCapacity: propose a memory size and provisioned concurrency for each function of a batch."""

from datetime import UTC, datetime
from typing import Any

from optimizer.aws import (
    Environment,
    ScheduleTarget,
    batches_at_work,
    clients,
    logged,
    name,
    paced_lambda,
    share_of_calls,
)
from optimizer.capacity import CapacityPlanner, LambdaAccount
from optimizer.capacity.provisioned import PlacedTimetables
from optimizer.core import CONFIGURATION, Change, Tuner, minute_of, under_observation
from optimizer.function_logs import ReportLog
from optimizer.policy import Policy
from optimizer.store import Documents, NoSuchChange, PingLog, ReplacedSizes, RunStore, prices_of_account


@logged("plan_capacity", run_id=name, batch=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Plan a batch; event and answer are in docs/architecture.md, plan_capacity."""
    run_id, batch = event["run_id"], event["batch"]
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    store, now = RunStore(clients.client("dynamodb"), environment.table), datetime.now(UTC)
    replaced = ReplacedSizes(clients.client("dynamodb"), environment.table)
    scaling = clients.client("application-autoscaling")
    timetables = PlacedTimetables(clients.client("scheduler"), scaling, ScheduleTarget(environment.schedule_group))

    # A run of fewer batches divides its calls among these.
    batches = documents.read(f"runs/{run_id}/batches/{batch}.json").get("batches")
    at_work = batches_at_work(environment, batches)

    def record_of(change_id: str) -> Change | None:
        try:
            return store.change(change_id).change
        except NoSuchChange:
            return None

    pings = PingLog(clients.client("dynamodb"), environment.table)

    policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
    planner = CapacityPlanner(
        documents=documents,
        account=LambdaAccount(paced_lambda(share_of_calls(environment, at_work)), scaling, timetables),
        logs=ReportLog(clients.client("logs")),
        policy=policy,
        run_id=run_id,
        now=now,
        prices=prices_of_account(policy, documents, now),
        rolled_back=lambda target: {int(mb) for mb in store.taken_back(target, Tuner.MEMORY, now)},
        change=record_of,
        replaced=lambda targets: replaced.of(targets, now),
        observed=lambda targets: {
            target: under_observation(earlier)
            for (target, _), earlier in store.under_observation(targets, CONFIGURATION, now).items()
        },
        pinged=lambda function_name, since: any(pings.between(function_name, minute_of(since), minute_of(now))),
    )
    proposals = planner.plan(batch)
    proposals.write(documents, run_id, f"capacity-{batch}")
    return proposals.answer(run_id, batch=batch)
