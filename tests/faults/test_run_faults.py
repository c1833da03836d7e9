"""Let every call to AWS of every Lambda of a run go wrong once, in every way.

The step is run again, as the state machine or a redrive does, and the end is as if nothing had happened.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from local_account.hourly_rows import answered, query_id

from tests.helpers.faults.stage import NOW, Stage, Step
from tests.helpers.own_account import create_target

RUN = "run-1"
BATCH = {"run_id": RUN, "batch": "0000"}
STEPS = (
    Step(
        "start_run",
        {"run_id": RUN, "execution_arn": "arn:aws:states:x", "request": {}},
        reported=lambda answer: "unlisted" in answer,
    ),
    Step("analyze_traffic", BATCH, reads_on=True),
    Step("plan_warmups", BATCH),
    Step("plan_capacity", BATCH, reads_on=True, reported=lambda answer: not answer["changes"]),
    Step("check_guardrails", {"run_id": RUN}),
    Step("render_report", {"run_id": RUN, "part": "0000"}),
    Step("publish_results", {"step": "run", "run_id": RUN, "failed_batches": []}),
)
POLICY = {
    "version": 1,
    "mode": "auto",
    "memory": {"max_slowdown": 2.0, "min_invocations": 20},
    "run": {"max_changes_share": 1.0},
}


def metric_data(request: dict[str, Any]) -> dict[str, Any]:
    """Return calls by day, none by night."""
    results = []
    for query in request["MetricDataQueries"]:
        stat = query["MetricStat"]
        step = timedelta(seconds=stat["Period"])
        first = request["StartTime"]
        times = [first + n * step for n in range(int((request["EndTime"] - first) / step))]
        times = [at for at in times if 8 <= at.hour < 18]
        value = {"Invocations": 30.0 * stat["Period"] / 60, "Duration": 80.0, "ConcurrentExecutions": 2.0}
        results.append(
            {
                "Id": query["Id"],
                "Timestamps": times,
                "Values": [value.get(stat["Metric"]["MetricName"], 0.0)] * len(times),
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results}


def log_groups(request: dict[str, Any]) -> dict[str, Any]:
    created = int((NOW - timedelta(days=30)).timestamp() * 1000)
    return {
        "logGroups": [{"logGroupName": request["logGroupNamePrefix"], "storedBytes": 10**7, "creationTime": created}]
    }


def report_rows(request: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for n in range(300):
        ms = 70 + n % 20
        message = (
            f"REPORT RequestId: {n}\tDuration: {ms}.00 ms\tBilled Duration: {ms} ms\t"
            "Memory Size: 1024 MB\tMax Memory Used: 90 MB\t"
        )
        at = (NOW - timedelta(minutes=n)).strftime("%Y-%m-%d %H:%M:%S.000")
        fields = {"@timestamp": at, "@logStream": "2026/11/20/[1]a", "@message": message}
        rows.append([{"field": name, "value": value} for name, value in fields.items()])
    answer = answered(request, rows, "orders")
    return {"status": "Complete", "results": answer, "statistics": {"bytesScanned": 1e6}}


ANSWERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "GetMetricData": metric_data,
    "DescribeLogGroups": log_groups,
    "StartQuery": query_id,
    "GetQueryResults": report_rows,
    "ListProvisionedConcurrencyConfigs": lambda _request: {"ProvisionedConcurrencyConfigs": []},
    "DescribeScalableTargets": lambda _request: {"ScalableTargets": []},
    "ListEventSourceMappings": lambda _request: {"EventSourceMappings": []},
    "GetAccountSettings": lambda _request: {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}},
}


@pytest.fixture
def called_by_day(staged: Stage) -> Stage:
    """Provide a stage with a function that is called by day."""
    create_target("orders", **{"optimizer:warmup": "ready"})
    staged.calls.answers.update(ANSWERS)
    staged.services.objects["policy/policy.json"] = json.dumps(POLICY).encode()
    return staged


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.function for step in STEPS])
def test_a_step_of_the_run_survives_every_fault_of_every_call(called_by_day: Stage, number: int) -> None:
    # Today's run finds the documents that yesterday's left.
    for earlier in (*STEPS[:2], *STEPS[:number]):
        if number:
            called_by_day.run(earlier)
    called_by_day.every_fault(STEPS[number])
