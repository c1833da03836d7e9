"""ChangeIndexes: the steps in the life of one change of indexes, on the writer of its database."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws, guardrails
from optimizer.changes import Tuner
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.guardrails import calendar
from optimizer.handling import logged
from optimizer.indexes.acting import machine, servers
from optimizer.indexes.acting.life import ChangeIndexes
from optimizer.indexes.acting.records import ActingRecords
from optimizer.indexes.batch import database_of
from optimizer.indexes.connections import from_environment
from optimizer.policy.model import Policy
from optimizer.runs import RunStore
from optimizer.steps import FIELDS, take

# Kept between invocations: connecting anew costs the database more than a look does.
CONNECTIONS = from_environment()


@logged("change_indexes", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_indexes."""
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))
    store = RunStore(aws.client("dynamodb"), environment.table)
    database = database_of(policy, str(store.change(event["change_id"]).change.before["database"]))
    life = ChangeIndexes(
        store=store,
        records=ActingRecords(aws.client("dynamodb"), environment.table),
        server=servers.of(database, CONNECTIONS),
        database=database,
        limits=policy.indexes,
        recheck=lambda change, live, now: guardrails.recheck(change, live, policy, now),
        may_start=lambda now: calendar.closed(policy, now, Tuner.INDEXES),
        machine=lambda now: machine.read(lambda: aws.client("cloudwatch"), database, now),
        remaining_ms=context.get_remaining_time_in_millis,
    )
    return take(life, event, datetime.now(UTC))
