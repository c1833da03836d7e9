"""PlanIndexMaintenance: for one database what its indexes and tables want, or why they are left alone."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.events import name
from optimizer.handling import logged
from optimizer.indexes.acting import servers
from optimizer.indexes.acting.records import ActingRecords
from optimizer.indexes.batch import Planner, database_of
from optimizer.indexes.connections import from_environment
from optimizer.indexes.drivers import AccessDenied, Unreachable
from optimizer.indexes.nodes import UnsupportedServer, read_nodes
from optimizer.indexes.places import TooManyConnections
from optimizer.policy.model import Policy
from optimizer.proposals import Proposals
from optimizer.runs import RunStore

# Kept between invocations: connecting anew costs the database more than a look does.
CONNECTIONS = from_environment()


@logged("plan_index_maintenance", run_id=name, target=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, plan_index_maintenance."""
    run_id, target, now = event["run_id"], event["target"], datetime.now(UTC)
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
    database = database_of(policy, target)
    planner = Planner(
        store=RunStore(aws.client("dynamodb"), environment.table),
        records=ActingRecords(aws.client("dynamodb"), environment.table),
        documents=documents,
        server=servers.of(database, CONNECTIONS),
        database=database,
        read=lambda: read_nodes(database, CONNECTIONS),
        limits=policy.indexes,
    )
    try:
        proposals = planner.plan(run_id, now)
    except (Unreachable, AccessDenied, TooManyConnections, UnsupportedServer) as problem:
        proposals = Proposals(failed={target: str(problem)})
        proposals.write(documents, run_id, f"indexes-{target}")
    return proposals.answer(run_id, target=target)
