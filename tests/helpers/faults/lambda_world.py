"""Imitate a function behind an alias with its metrics and its log, on which changes of functions act."""

from datetime import timedelta
from typing import Any

from local_account.hourly_rows import answered, query_id
from local_account.lambda_twin import Twin

from tests.helpers.faults.faulty_aws import Answer
from tests.helpers.faults.stage import NOW, Clock, Stage

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
_OPERATIONS = {
    "lambda": (
        "GetFunction", "GetFunctionConfiguration", "ListAliases", "GetAlias", "ListTags", "GetFunctionConcurrency",
        "ListProvisionedConcurrencyConfigs", "ListVersionsByFunction", "UpdateFunctionConfiguration", "PublishVersion",
        "UpdateAlias", "PutProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig",
    ),
    "application-autoscaling": (
        "DescribeScalableTargets", "RegisterScalableTarget", "DescribeScalingPolicies", "DescribeScheduledActions",
        "PutScheduledAction", "DeleteScheduledAction",
    ),
}  # fmt: skip


def build(made: Stage) -> None:
    """Put the function into the account.

    `slower` is the slowdown of a version with a new size, `slower_after` that of everything since the changes began;
    with `met`, calls meet provisioned environments.
    """
    twin = Twin()
    twin.tags = {"optimizer": "on", "optimizer:warmup": "ready"}
    made.world |= {"twin": twin, "slower": 1.0, "slower_after": 1.0, "met": True}
    for service, names in _OPERATIONS.items():
        made.calls.answers |= {name: _answer(made, service, name) for name in names}
    made.calls.answers |= {
        "GetMetricData": lambda request: _metric_data(request, made.world),
        "DescribeLogGroups": _log_groups,
        "StartQuery": query_id,
        "GetQueryResults": _report_rows,
        "GetAccountSettings": lambda _request: {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}},
    }


def serving(made: Stage) -> Any:
    """Return the state that calls meet: sizes by version, $LATEST, provisioned concurrency, its bounds."""
    twin = made.world["twin"]
    called = (twin.alias["version"], *twin.alias["weights"])
    sizes = {version: twin.versions[version]["MemorySize"] for version in called}
    provisioned = twin.provisioned["requested"] if twin.provisioned else 0
    return sizes, twin.latest["MemorySize"], provisioned, twin.bounds


def _answer(made: Stage, service: str, operation: str) -> Answer:
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
    return lambda request: getattr(made.world["twin"].client(service), name)(**request)


def _metric_data(request: dict[str, Any], world: dict[str, Any]) -> dict[str, Any]:
    """Return a thousand calls a minute, of which a version with a new size gets a tenth.

    Minutes to come have no data by the clock of the service, which is right whatever the Lambda's clock shows.
    """
    results = []
    for query in request["MetricDataQueries"]:
        stat = query["MetricStat"]
        dimensions = {one["Name"]: one["Value"] for one in stat["Metric"]["Dimensions"]}
        step, first = timedelta(seconds=stat["Period"]), request["StartTime"]
        count = max(0, -(-(min(request["EndTime"], world.get("true_now", Clock.at)) - first) // step))
        canary = dimensions.get("ExecutedVersion", "1") != "1"
        calls = stat["Period"] / 60 * (100 if canary else 1000)
        times = [first + n * step for n in range(count)]
        metric, kind = stat["Metric"]["MetricName"], stat["Stat"]
        on_provisioned = calls if world["met"] else 0.0
        known = {"Invocations": calls, "ProvisionedConcurrencyInvocations": on_provisioned}
        values = [known.get(metric, 0.0)] * count
        if metric == "Duration":
            since = world["slower"] if canary else world["slower_after"]
            slower = [since if at + step > NOW else 1.0 for at in times]
            values = [calls if kind == "SampleCount" else 50 * slower[n] + n % 3 for n in range(count)]
        results.append({"Id": query["Id"], "Timestamps": times, "Values": values, "StatusCode": "Complete"})
    return {"MetricDataResults": results}


def _log_groups(request: dict[str, Any]) -> dict[str, Any]:
    created = int((NOW - timedelta(days=30)).timestamp() * 1000)
    name = request["logGroupNamePrefix"]
    return {"logGroups": [{"logGroupName": name, "storedBytes": 10**7, "creationTime": created}]}


def _report_rows(request: dict[str, Any]) -> dict[str, Any]:
    message = (
        "REPORT RequestId: 1\tDuration: 70.00 ms\tBilled Duration: 70 ms\tMemory Size: 512 MB\tMax Memory Used: 90 MB\t"
    )
    at = Clock.at.strftime("%Y-%m-%d %H:%M:%S.000")
    fields = {"@timestamp": at, "@logStream": "2026/11/20/[2]a", "@message": message}
    rows = [[{"field": name, "value": value} for name, value in fields.items()]]
    answer = answered(request, rows, "orders")
    return {"status": "Complete", "results": answer, "statistics": {"bytesScanned": 1e3}}
