"""Advice from the metrics of a database or a cache alone, and the needs of a closer look. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from optimizer.assess.model import ServerRow
from optimizer.core import data_size, figure

# Engines as RDS and ElastiCache name them.
DATABASE_ENGINES = ("postgres", "aurora-postgresql", "mysql", "aurora-mysql", "mariadb")
CACHE_ENGINES = ("redis", "valkey")
_SECRET = "a secret with a database user, or IAM authentication"  # noqa: S105 - words about one
_BUSY_PERCENT, _PEAK_PERCENT, _IDLE_PERCENT = 50.0, 90.0, 10.0
_LOW_HITS, _FULL_PERCENT, _EMPTY_PERCENT = 0.8, 80.0, 30.0


def database_row(described: Mapping[str, Any], owner: str, facts: Mapping[str, float]) -> ServerRow:
    """Return the row of a database instance or cluster. facts: `cpu_mean` and `cpu_most`, where known."""
    engine = str(described["Engine"])
    supported = engine.startswith(DATABASE_ENGINES)
    data_api = bool(described.get("HttpEndpointEnabled"))
    return ServerRow(
        kind="database",
        name=str(described.get("DBClusterIdentifier") if "DBClusterMembers" in described else _instance(described)),
        engine=f"{engine} {described.get('EngineVersion', '')}".strip(),
        size=_database_size(described),
        owner=owner,
        is_supported=supported,
        can="look for superfluous, missing and bloated indexes" if supported else "",
        needs=tuple(_database_needs(described, data_api)) if supported else (),
        advice=tuple(_database_advice(facts)) if supported else (),
        facts=dict(facts),
    )


def _instance(described: Mapping[str, Any]) -> Any:
    return described.get("DBInstanceIdentifier") or described.get("DBClusterIdentifier")


def _database_size(described: Mapping[str, Any]) -> str:
    parts = [str(described.get("DBInstanceClass") or "")]
    if described.get("DBClusterMembers"):
        parts.append(f"{len(described['DBClusterMembers'])} instances")
    # Aurora reports 1 GiB for storage that grows by itself.
    if int(described.get("AllocatedStorage") or 0) > 1:
        parts.append(f"{described['AllocatedStorage']} GiB")
    return ", ".join(part for part in parts if part)


def _database_needs(described: Mapping[str, Any], data_api: bool) -> Iterator[str]:
    iam = "; IAM authentication is on" if described.get("IAMDatabaseAuthenticationEnabled") else ""
    yield f"{_SECRET}{iam}"
    if data_api:
        yield "no network: its Data API is on"
        return
    # Of a cluster it is the name alone.
    subnets = described.get("DBSubnetGroup")
    vpc = subnets.get("VpcId", "") if isinstance(subnets, Mapping) else ""
    yield f"subnets and a security group that reach it{f' in {vpc}' if vpc else ''}"


def _database_advice(facts: Mapping[str, float]) -> Iterator[str]:
    mean, most = facts.get("cpu_mean"), facts.get("cpu_most")
    if mean is None or most is None:
        return
    words = f"CPU {figure(mean)}% on average, {figure(most)}% at most"
    if mean >= _BUSY_PERCENT or most >= _PEAK_PERCENT:
        yield f"{words}: missing indexes may be why; inspect it first"
    elif mean < _IDLE_PERCENT and most < _BUSY_PERCENT:
        yield f"{words}: a smaller instance may be enough; the optimizer does not change it"
    else:
        yield words


def cache_row(described: Mapping[str, Any], name: str, owner: str, facts: Mapping[str, float]) -> ServerRow:
    """Return the row of a cache. facts: `hits`, `misses`, `evictions_day`, `memory_percent`, `bytes`, where known."""
    engine = str(described.get("Engine") or "redis").lower()
    supported = engine in CACHE_ENGINES
    size = described.get("CacheNodeType") or ""
    nodes = described.get("NumCacheNodes") or len(described.get("MemberClusters") or ())
    return ServerRow(
        kind="cache",
        name=name,
        engine=f"{engine} {described.get('EngineVersion') or described.get('FullEngineVersion') or ''}".strip(),
        size=f"{size}{f', {nodes} nodes' if nodes and nodes > 1 else ''}" if size else "serverless",
        owner=owner,
        is_supported=supported,
        can="tune TTLs" if supported else "",
        needs=tuple(_cache_needs(described)) if supported else (),
        advice=tuple(_cache_advice(facts)) if supported else (),
        facts=dict(facts),
    )


def _cache_needs(described: Mapping[str, Any]) -> Iterator[str]:
    yield "the cache client of packages/optimizer-cache in the functions that read it"
    login = "a password or an IAM user, " if described.get("AuthTokenEnabled") or described.get("UserGroupIds") else ""
    yield f"to look inside: {login}subnets and a security group that reach it"


def _cache_advice(facts: Mapping[str, float]) -> Iterator[str]:
    hits, misses = facts.get("hits", 0.0), facts.get("misses", 0.0)
    percent, evictions = facts.get("memory_percent"), facts.get("evictions_day", 0.0)
    used = f", {data_size(facts['bytes'])} used" if facts.get("bytes") else ""
    memory = f"memory {figure(percent)}% full{used}" if percent is not None else ""
    if hits + misses > 0:
        ratio = hits / (hits + misses)
        low = "it evicts, so weigh TTLs and memory together" if evictions else "longer TTLs may raise it"
        yield f"hit ratio {ratio:.1%}{f': {low}' if ratio < _LOW_HITS else ''}"
    if evictions:
        yield f"{figure(evictions)} evictions a day{f', {memory}' if memory else ''}: entries live longer than they fit"
    elif percent is not None and percent < _EMPTY_PERCENT:
        yield f"{memory}: there is room for longer TTLs, or for a smaller node"
    elif percent is not None:
        yield memory
