"""PlanIndexMaintenance: propose changes of indexes and tables of one database, or say why none is needed."""

from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged, name
from optimizer.indexes import Planner, UnsupportedServer, find_database
from optimizer.indexes.change import server_for
from optimizer.indexes.connect import AccessDenied, DatabaseUnreachable, TooManyConnections, from_environment
from optimizer.indexes.read_nodes import read_nodes
from optimizer.policy import Policy
from optimizer.store import ActingRecords, Documents, Proposals, RunStore

# Kept between invocations: connecting anew costs the database more than a look does.
CONNECTIONS = from_environment()


@logged("plan_index_maintenance", run_id=name, target=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, plan_index_maintenance."""
    run_id, target, now = event["run_id"], event["target"], datetime.now(UTC)
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
    database = find_database(policy, target)
    planner = Planner(
        store=RunStore(clients.client("dynamodb"), environment.table),
        records=ActingRecords(clients.client("dynamodb"), environment.table),
        documents=documents,
        server=server_for(database, CONNECTIONS),
        database=database,
        read=lambda: read_nodes(database, CONNECTIONS),
        limits=policy.indexes,
    )
    try:
        proposals = planner.plan(run_id, now)
    except (DatabaseUnreachable, AccessDenied, TooManyConnections, UnsupportedServer) as problem:
        proposals = Proposals(failed={target: str(problem)})
        proposals.write(documents, run_id, f"indexes-{target}")
    return proposals.answer(run_id, target=target)
