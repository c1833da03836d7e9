"""Compute the bill of a run at the list prices of us-east-1 in November 2026 (each service's price page)."""

import json
from collections.abc import Mapping
from typing import Any

from run import Done
from shipped import ROOT

GB_S = 0.0000133334
INVOCATION = 0.20 / 1e6
TRANSITION = 0.025 / 1000
METRIC = 0.01 / 1000
SCANNED_GB = 0.005
S3_PUT, S3_GET = 0.005 / 1000, 0.0004 / 1000
WRITE, READ = 0.625 / 1e6, 0.125 / 1e6


def bill_usd(done: Done, counted: Mapping[str, Any]) -> dict[str, float]:
    """Return USD by service."""
    calls = counted["calls"]
    gb_s = sum(cost.total_wall_s * cost.memory_mb / 1024 for cost in done.costs.values())
    # A write in a transaction counts twice; the records have one or two kilobytes.
    writes = 4 * 2 * calls.get("DynamoDB.TransactWriteItems", 0) + calls.get("DynamoDB.UpdateItem", 0)
    reads = calls.get("DynamoDB.Query", 0) + calls.get("DynamoDB.GetItem", 0)
    return {
        "CloudWatch": counted["metrics"] * METRIC,
        "Logs Insights": counted["scanned_bytes"] / 1e9 * SCANNED_GB,
        "Lambda": gb_s * GB_S + sum(cost.calls for cost in done.costs.values()) * INVOCATION,
        "Step Functions": transitions(len(done.batches)) * TRANSITION,
        "S3": (calls.get("S3.PutObject", 0) + calls.get("S3.ListObjectsV2", 0)) * S3_PUT
        + calls.get("S3.GetObject", 0) * S3_GET,
        "DynamoDB": writes * WRITE + reads * READ,
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
