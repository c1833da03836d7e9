"""Compute the bill of a run at the list prices with which the application decides."""

import json
from collections.abc import Mapping
from typing import Any

from optimizer.prices import aws_lambda, services
from run import Done
from shipped import ROOT

RATES = services.lambda_rates()
GB_S = float(RATES.gb_second_usd)


def bill_usd(done: Done, counted: Mapping[str, Any]) -> dict[str, float]:
    """Return USD by service."""
    calls = counted["calls"]
    gb_s = sum(cost.total_wall_s * cost.memory_mb / 1024 for cost in done.costs.values())
    # A write in a transaction counts twice; the records have one or two kilobytes.
    writes = 4 * 2 * calls.get("DynamoDB.TransactWriteItems", 0) + calls.get("DynamoDB.UpdateItem", 0)
    reads = calls.get("DynamoDB.Query", 0) + calls.get("DynamoDB.GetItem", 0)
    return {
        "CloudWatch": counted["metrics"] * services.METRIC_USD,
        "Logs Insights": counted["scanned_bytes"] / 1e9 * float(aws_lambda.LOG_SCAN_GB_USD),
        "Lambda": gb_s * GB_S + sum(cost.calls for cost in done.costs.values()) * float(RATES.request_usd),
        "Step Functions": transitions(len(done.batches)) * services.TRANSITION_USD,
        "S3": (calls.get("S3.PutObject", 0) + calls.get("S3.ListObjectsV2", 0)) * services.S3_PUT_USD
        + calls.get("S3.GetObject", 0) * services.S3_GET_USD,
        "DynamoDB": writes * services.DYNAMODB_WRITE_USD + reads * services.DYNAMODB_READ_USD,
    }


def transitions(batches: int) -> int:
    """Return the states entered by a run without changes: some for each batch, and once all others on its path."""
    machine = json.loads((ROOT / "statemachine" / "optimize.asl.json").read_text())
    inner = next(state for state in machine["States"].values() if state["Type"] == "Parallel")
    functions = next(
        s for b in inner["Branches"] for s in b["States"].values() if s["Type"] == "Map" and "ItemReader" in s
    )
    pages = len(_way(machine["States"]["RenderReports"]["ItemProcessor"]))
    each = 1 + len(_way(functions["ItemProcessor"])) + 1 + pages
    return len(_way(machine)) + len(inner["Branches"]) + batches * each


def _way(machine: Mapping[str, Any]) -> list[str]:
    """Return the states from the start to the end, by the first choice."""
    name, way = machine["StartAt"], []
    while name and name not in way:
        way.append(name)
        state = machine["States"][name]
        name = state.get("Next") or (state.get("Choices") or [{}])[0].get("Next")
    return way
