"""AnalyzeTraffic: reads the calls of a batch of functions minute by minute and summarises them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.aws import Environment, clients, logged, name
from optimizer.store import Documents, PingLog
from optimizer.traffic import analyze_batch, write_batch


@logged("analyze_traffic", run_id=name, batch=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, analyze_traffic."""
    run_id, batch = event["run_id"], event["batch"]
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    targets = documents.read(f"runs/{run_id}/batches/{batch}.json")["functions"]
    log = PingLog(clients.client("dynamodb"), environment.table)

    def has_alias(function_name: str, alias: str) -> bool:
        # Loaded only where no call through the alias is known.
        return aws.has_alias(aws.paced_lambda(aws.share_of_calls(environment)), function_name, alias)

    def hand_on(contents: Mapping[str, bytes]) -> None:
        write_batch(documents, run_id, batch, contents)

    cloudwatch, now = clients.client("cloudwatch"), datetime.now(UTC)
    traffic = analyze_batch(cloudwatch, documents, log, targets, now, has_alias, hand_on)
    documents.write(f"runs/{run_id}/pictures/{batch}.json", {"functions": traffic.pictures})
    documents.write(f"runs/{run_id}/traffic/{batch}.json", {"functions": traffic.functions, "failed": traffic.failed})
    return {
        "outcome": "analysed",
        "run_id": run_id,
        "batch": batch,
        "functions": len(traffic.functions),
        "failed": len(traffic.failed),
    }
