"""Lists databases and caches in bulk, with a few metrics each; nothing connects to any of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from optimizer.assess.advice import cache_row, database_row
from optimizer.assess.model import ServerRow
from optimizer.assess.owners import owner_of
from optimizer.assess.read_only import ReadOnlySession
from optimizer.aws import MetricQuery, read_points

_DAYS = 14
_PERIOD_S = 86_400
_QUERIES_A_CALL = 500


@dataclass(frozen=True, slots=True)
class _Metric:
    fact: str
    metric: str
    statistic: str
    join: Callable[[Sequence[float]], float]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_DATABASE = (
    _Metric("cpu_mean", "CPUUtilization", "Average", _mean),
    _Metric("cpu_most", "CPUUtilization", "Maximum", max),
    _Metric("connections", "DatabaseConnections", "Maximum", max),
)
_CACHE = (
    _Metric("hits", "CacheHits", "Sum", sum),
    _Metric("misses", "CacheMisses", "Sum", sum),
    _Metric("evictions_day", "Evictions", "Sum", lambda values: sum(values) / _DAYS),
    _Metric("memory_percent", "DatabaseMemoryUsagePercentage", "Maximum", max),
    _Metric("bytes", "BytesUsedForCache", "Maximum", max),
)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A server as it is described. key: its name here. dimensions: of its metrics; empty: none are read."""

    kind: str
    key: str
    arn: str
    described: Mapping[str, Any]
    dimensions: Mapping[str, str]


def read_servers(session: ReadOnlySession, tags: Mapping[str, Mapping[str, str]], now: datetime) -> list[ServerRow]:
    """Return the databases and caches of the Region. tags: by ARN, from the bulk list."""
    listed = [*_databases(session), *_caches(session)]
    facts = _facts(session, listed, now)
    rows = []
    for one in listed:
        own = {tag["Key"]: tag["Value"] for tag in one.described.get("TagList") or ()} or tags.get(one.arn, {})
        if one.kind == "database":
            rows.append(database_row(one.described, owner_of(own), facts[one.key]))
        else:
            rows.append(cache_row(one.described, one.key.partition(":")[2], owner_of(own), facts[one.key]))
    return sorted(rows, key=lambda row: (row.kind, row.name))


def _pages(session: ReadOnlySession, service: str, operation: str, method: str, field: str) -> list[Mapping[str, Any]]:
    def read() -> list[Mapping[str, Any]]:
        pages = session.client(service).get_paginator(method).paginate()
        return [item for page in pages for item in page[field]]

    return session.tried(service, operation, read) or []


def _databases(session: ReadOnlySession) -> Iterator[_Listed]:
    clusters = _pages(session, "rds", "DescribeDBClusters", "describe_db_clusters", "DBClusters")
    for cluster in clusters:
        name = cluster["DBClusterIdentifier"]
        yield _Listed(
            "database",
            f"cluster:{name}",
            cluster["DBClusterArn"],
            {"DBClusterMembers": [], **cluster},
            {"DBClusterIdentifier": name},
        )
    for instance in _pages(session, "rds", "DescribeDBInstances", "describe_db_instances", "DBInstances"):
        if instance.get("DBClusterIdentifier") and clusters:
            continue
        name = instance["DBInstanceIdentifier"]
        yield _Listed(
            "database", f"instance:{name}", instance["DBInstanceArn"], instance, {"DBInstanceIdentifier": name}
        )


def _caches(session: ReadOnlySession) -> Iterator[_Listed]:
    groups = _pages(
        session, "elasticache", "DescribeReplicationGroups", "describe_replication_groups", "ReplicationGroups"
    )
    nodes = _pages(session, "elasticache", "DescribeCacheClusters", "describe_cache_clusters", "CacheClusters")
    by_name = {node["CacheClusterId"]: node for node in nodes}
    for group in groups:
        members = group.get("MemberClusters") or []
        # The engine and its version stand with the nodes; the first one serves the writes unless it failed over.
        first = by_name.get(members[0], {}) if members else {}
        described = {**{key: first.get(key) for key in ("Engine", "EngineVersion")}, **group}
        name = group["ReplicationGroupId"]
        yield _Listed(
            "cache",
            f"group:{name}",
            group.get("ARN", ""),
            described,
            {"CacheClusterId": members[0]} if members else {},
        )
    for node in nodes:
        if node.get("ReplicationGroupId") and groups:
            continue
        name = node["CacheClusterId"]
        yield _Listed("cache", f"node:{name}", node.get("ARN", ""), node, {"CacheClusterId": name})
    serverless = _pages(
        session, "elasticache", "DescribeServerlessCaches", "describe_serverless_caches", "ServerlessCaches"
    )
    for cache in serverless:
        name = cache["ServerlessCacheName"]
        yield _Listed("cache", f"serverless:{name}", cache.get("ARN", ""), cache, {"clusterId": name})


def _facts(session: ReadOnlySession, listed: Sequence[_Listed], now: datetime) -> dict[str, dict[str, float]]:
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=_DAYS)
    asked: dict[str, tuple[str, _Metric]] = {}
    queries = []
    for n, one in enumerate(listed):
        namespace, metrics = ("AWS/RDS", _DATABASE) if one.kind == "database" else ("AWS/ElastiCache", _CACHE)
        for m, metric in enumerate(metrics if one.dimensions else ()):
            identifier = f"s{n}m{m}"
            asked[identifier] = one.key, metric
            queries.append(
                MetricQuery(identifier, namespace, metric.metric, metric.statistic, _PERIOD_S, one.dimensions)
            )
    found: dict[str, dict[str, float]] = {one.key: {} for one in listed}
    cloudwatch = session.client("cloudwatch")
    for at in range(0, len(queries), _QUERIES_A_CALL):
        part = queries[at : at + _QUERIES_A_CALL]
        points = session.tried("cloudwatch", "GetMetricData", partial(read_points, cloudwatch, part, start, now))
        for identifier, series in (points or {}).items():
            key, metric = asked[identifier]
            if series.values and not series.problem:
                found[key][metric.fact] = metric.join(series.values)
    return found
