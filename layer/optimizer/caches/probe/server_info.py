"""Parse the INFO of a server. Pure."""

from collections.abc import Mapping
from typing import Any

from optimizer.caches.probe.errors import NotUnderstood
from optimizer.caches.probe.result import ServerFacts
from optimizer.core import short_json


def parse_info(info: Mapping[str, Any], database: int = 0) -> ServerFacts:
    """Return the facts from INFO, as redis-py parses it, with the keys of the numbered database.

    A missing figure is 0, or None where 0 would be a statement. Raises NotUnderstood for a value of another kind.
    """
    keyspace = info.get(f"db{database}", {})
    if not isinstance(keyspace, Mapping):
        raise NotUnderstood(f"INFO of the cache says db{database} = {short_json(keyspace)}, which is not a keyspace.")
    role = str(info.get("role", "unknown"))
    lags = [_lag(info, value) for name, value in info.items() if name.startswith("slave") and isinstance(value, dict)]
    if role == "slave":
        # The lag is what arrived and is not yet applied. With the link down nobody knows it.
        up = info.get("master_link_status") == "up"
        behind = _whole(info, "slave_read_repl_offset") - _whole(info, "slave_repl_offset")
        lags = [behind] if up and _says(info) else []
    link = info.get("master_link_status") if role == "slave" else None
    return ServerFacts(
        engine=str(info.get("server_name", "redis")),
        version=str(info.get("valkey_version") or info.get("redis_version", "")),
        role="replica" if role == "slave" else "primary" if role == "master" else role,
        cluster=bool(info.get("cluster_enabled", 0)),
        uptime_s=_whole(info, "uptime_in_seconds"),
        keys=_whole(keyspace, "keys"),
        keys_with_ttl=_whole(keyspace, "expires"),
        used_bytes=_whole(info, "used_memory"),
        max_bytes=_whole(info, "maxmemory"),
        policy=str(info.get("maxmemory_policy", "unknown")),
        fragmentation=_number(info, "mem_fragmentation_ratio"),
        hits=_whole(info, "keyspace_hits"),
        misses=_whole(info, "keyspace_misses"),
        expired=_whole(info, "expired_keys"),
        evicted=_whole(info, "evicted_keys"),
        clients=_whole(info, "connected_clients"),
        max_clients=_whole(info, "maxclients") if "maxclients" in info else None,
        connections=_whole(info, "total_connections_received"),
        rejected_connections=_whole(info, "rejected_connections"),
        replicas=_whole(info, "connected_slaves"),
        replica_lag_bytes=max(lags, default=None),
        cpu_s=_cpu_s(info),
        says_limit="maxmemory" in info,
        link_up=None if link is None else link == "up",
    )


def _says(info: Mapping[str, Any]) -> bool:
    return "slave_read_repl_offset" in info and "slave_repl_offset" in info


def _lag(info: Mapping[str, Any], replica: Mapping[str, Any]) -> int:
    return max(0, _whole(info, "master_repl_offset") - _whole(replica, "offset"))


def _cpu_s(info: Mapping[str, Any]) -> float | None:
    # The main thread counts where the server tells it apart, because commands hold up that thread.
    for ending in ("_main_thread", ""):
        parts = [_number(info, f"used_cpu_{kind}{ending}") for kind in ("user", "sys")]
        if parts[0] is not None and parts[1] is not None:
            return parts[0] + parts[1]
    return None


def _whole(info: Mapping[str, Any], name: str) -> int:
    value = info.get(name, 0)
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotUnderstood(
            f"INFO of the cache says {name} = {short_json(value)}, which is not a whole number."
        ) from error


def _number(info: Mapping[str, Any], name: str) -> float | None:
    value = info.get(name)
    return float(value) if isinstance(value, (int, float)) else None
