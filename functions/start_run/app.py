"""StartRun: read and check the policy, take the lock, find the targets, write the manifest."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, emit_metrics, logged, name, text
from optimizer.policy import Policy, read_policy
from optimizer.run import Glance, run_health, start_run
from optimizer.store import Documents, RunTable


@logged("start_run", run_id=name, execution_arn=text)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Start a run. Event and answer: docs/architecture.md, start_run."""
    environment, now = Environment.read(), datetime.now(UTC)
    store = RunTable(clients.client("dynamodb"), environment.table)
    # Before this run is recorded. Every schedule invokes this function, even if the run then has nothing to do.
    emit_metrics.emit(run_health(store, now))

    def glance(names: Collection[str]) -> Glance:
        # Only fleets of several batches need it.
        from optimizer.aws import paced_lambda, share_of_calls
        from optimizer.run import glance_at

        # No batch is at work yet.
        return glance_at(paced_lambda(share_of_calls(environment, 1)), clients.client("cloudwatch"), names)

    def read(text: bytes) -> Policy:
        policy = read_policy(text, _tag(environment))
        if policy.calendars:
            from optimizer.policy import with_country_days

            return with_country_days(policy, now.date())
        return policy

    return start_run(
        store,
        Documents(clients.client("s3"), environment.bucket),
        clients.client("resourcegroupstaggingapi"),
        event,
        policy_key=environment.policy_key,
        read_policy=read,
        now=now,
        glance=glance,
    )


def _tag(environment: Environment) -> tuple[str, str] | None:
    return (environment.tag_key, environment.tag_value) if environment.tag_key else None
