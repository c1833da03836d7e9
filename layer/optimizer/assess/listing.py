"""Lists the functions of the Region in bulk: configuration, tags, and calls and durations of the last days."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from optimizer.assess.facts import OVERVIEW_DAYS, ListedFunction
from optimizer.assess.read_only import ReadOnlySession
from optimizer.aws import MetricQuery, read_points
from optimizer.capacity import version_of

_QUERIES_A_CALL = 500
_DAY_S = 86_400
# Resources of other kinds whose tags are read in the same pages.
_TAGGED = (
    "lambda:function", "rds:db", "rds:cluster", "elasticache:cluster", "elasticache:replicationgroup",
)  # fmt: skip


def list_functions(session: ReadOnlySession) -> list[ListedFunction]:
    """Return all functions of the Region; none if the right is missing."""

    def read() -> list[ListedFunction]:
        pages = session.client("lambda").get_paginator("list_functions").paginate()
        return [_listed(configuration) for page in pages for configuration in page["Functions"]]

    return session.tried("lambda", "ListFunctions", read) or []


def _listed(configuration: Mapping[str, Any]) -> ListedFunction:
    name = configuration["FunctionName"]
    return ListedFunction(
        name=name,
        arn=configuration["FunctionArn"].removesuffix(":$LATEST"),
        latest=version_of(configuration),
        runtime=configuration.get("Runtime", ""),
        log_group=(configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}",
    )


def read_tags(session: ReadOnlySession) -> dict[str, dict[str, str]]:
    """Return the tags of functions, databases and caches by ARN; none if the right is missing."""

    def read() -> dict[str, dict[str, str]]:
        pages = (
            session.client("resourcegroupstaggingapi")
            .get_paginator("get_resources")
            .paginate(ResourceTypeFilters=list(_TAGGED))
        )
        return {
            resource["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
            for page in pages
            for resource in page["ResourceTagMappingList"]
        }

    return session.tried("resourcegroupstaggingapi", "GetResources", read) or {}


def add_calls(session: ReadOnlySession, functions: Sequence[ListedFunction], now: datetime) -> list[ListedFunction]:
    """Return the functions with calls and mean duration of the last days, by two metrics a function."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=OVERVIEW_DAYS)
    cloudwatch = session.client("cloudwatch")
    found: list[ListedFunction] = []
    for part in _parts(functions, _QUERIES_A_CALL // 2):
        queries = [
            MetricQuery(f"{metric.lower()[0]}{n}", "AWS/Lambda", metric, statistic, _DAY_S, {"FunctionName": one.name})
            for n, one in enumerate(part)
            for metric, statistic in (("Invocations", "Sum"), ("Duration", "Average"))
        ]
        points = session.tried("cloudwatch", "GetMetricData", partial(read_points, cloudwatch, queries, start, now))
        if points is None:
            found += part
            continue
        for n, one in enumerate(part):
            calls, mean_ms = points[f"i{n}"], points[f"d{n}"]
            known = not calls.problem and not mean_ms.problem
            found.append(_with_calls(one, calls.by_time(), mean_ms.by_time(), start, now) if known else one)
    return found


def _with_calls(
    one: ListedFunction,
    calls: Mapping[datetime, float],
    mean_ms: Mapping[datetime, float],
    start: datetime,
    now: datetime,
) -> ListedFunction:
    # A function that is younger than the window is judged by its own days.
    days = max((now - min(calls, default=start)) / timedelta(days=1), 1 / 24)
    total = sum(calls.values())
    total_ms = sum(number * mean_ms.get(day, 0.0) for day, number in calls.items())
    return replace(one, calls_day=total / days, mean_ms=total_ms / total if total else None)


def _parts(functions: Sequence[ListedFunction], size: int) -> Iterator[Sequence[ListedFunction]]:
    for at in range(0, len(functions), size):
        yield functions[at : at + size]


def account_of(session: ReadOnlySession) -> str:
    """Return the number of the account."""
    return str(session.client("sts").get_caller_identity()["Account"])


def scaled_aliases(session: ReadOnlySession) -> dict[str, tuple[int, int]]:
    """Return the bounds of scaled provisioned concurrency, by `function:NAME:ALIAS`."""

    def read() -> dict[str, tuple[int, int]]:
        pages = (
            session.client("application-autoscaling")
            .get_paginator("describe_scalable_targets")
            .paginate(ServiceNamespace="lambda")
        )
        return {
            target["ResourceId"]: (target["MinCapacity"], target["MaxCapacity"])
            for page in pages
            for target in page["ScalableTargets"]
        }

    return session.tried("application-autoscaling", "DescribeScalableTargets", read) or {}
