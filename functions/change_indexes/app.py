"""ChangeIndexes: the steps in the life of one change of indexes, on the writer of its database."""

from datetime import UTC, datetime
from typing import Any

from optimizer import guardrails
from optimizer.aws import Environment, clients, logged
from optimizer.core import Tuner
from optimizer.guardrails import calendar
from optimizer.indexes import find_database
from optimizer.indexes.change import ChangeIndexes, read_machine, server_for
from optimizer.indexes.connect import from_environment
from optimizer.lifecycle import FIELDS, take
from optimizer.policy import Policy
from optimizer.store import ActingRecords, Documents, RunStore

# Kept between invocations: connecting anew costs the database more than a look does.
CONNECTIONS = from_environment()


@logged("change_indexes", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_indexes."""
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))
    store = RunStore(clients.client("dynamodb"), environment.table)
    database = find_database(policy, str(store.change(event["change_id"]).change.before["database"]))
    life = ChangeIndexes(
        store=store,
        records=ActingRecords(clients.client("dynamodb"), environment.table),
        server=server_for(database, CONNECTIONS),
        database=database,
        limits=policy.indexes,
        recheck=lambda change, live, now: guardrails.recheck(change, live, policy, now),
        may_start=lambda now: calendar.closed(policy, now, Tuner.INDEXES),
        machine=lambda now: read_machine(lambda: clients.client("cloudwatch"), database, now),
        remaining_ms=context.get_remaining_time_in_millis,
    )
    return take(life, event, datetime.now(UTC))
