"""ChangeIndexes: the steps in the life of one change of indexes, on the writer of its database."""

from datetime import UTC, datetime
from typing import Any

from optimizer import guardrails
from optimizer.aws import clients, logged
from optimizer.core import Tuner
from optimizer.guardrails import calendar
from optimizer.indexes import find_database
from optimizer.indexes.change import IndexHooks, read_machine, server_for
from optimizer.indexes.connect import from_environment
from optimizer.lifecycle import FIELDS, Setting, handle
from optimizer.store import ActingRecords

# Kept between invocations: connecting anew costs the database more than a look does.
CONNECTIONS = from_environment()


@logged("change_indexes", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_indexes."""
    return handle(event, context, datetime.now(UTC), _hooks)


def _hooks(setting: Setting) -> IndexHooks:
    policy = setting.policy
    database = find_database(policy, str(setting.change.before["database"]))
    return IndexHooks(
        store=setting.store,
        records=ActingRecords(clients.client("dynamodb"), setting.environment.table),
        server=server_for(database, CONNECTIONS),
        database=database,
        limits=policy.indexes,
        recheck=lambda change, live, now: guardrails.recheck(change, live, policy, now),
        may_start=lambda now: calendar.closed(policy, now, Tuner.INDEXES),
        machine=lambda now: read_machine(lambda: clients.client("cloudwatch"), database, now),
        remaining_ms=setting.remaining_ms,
    )
