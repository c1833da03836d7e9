"""RenderReport: the pages of one batch of functions, or of all databases and caches."""

from typing import Any

from optimizer import aws
from optimizer.documents import Documents
from optimizer.environment import Environment
from optimizer.events import name
from optimizer.handling import logged
from optimizer.report.render import render_part
from optimizer.runs import RunStore


@logged("render_report", run_id=name, part=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, render_report."""
    environment = Environment.read()
    store = RunStore(aws.client("dynamodb"), environment.table)
    documents = Documents(aws.client("s3"), environment.bucket)
    pages = render_part(store, documents, event["run_id"], event["part"])
    return {"outcome": "rendered", "run_id": event["run_id"], "part": event["part"], "pages": pages}
