"""RenderReport: write the pages of one batch of functions, or of all databases and caches."""

from typing import Any

from optimizer.aws import Environment, clients, logged, name
from optimizer.report import render_part
from optimizer.store import Documents, RunStore


@logged("render_report", run_id=name, part=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the answer to an event: docs/architecture.md, render_report."""
    environment = Environment.read()
    store = RunStore(clients.client("dynamodb"), environment.table)
    documents = Documents(clients.client("s3"), environment.bucket)
    pages = render_part(store, documents, event["run_id"], event["part"])
    return {"outcome": "rendered", "run_id": event["run_id"], "part": event["part"], "pages": pages}
