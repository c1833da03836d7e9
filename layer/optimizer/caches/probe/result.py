"""The result of a probe, as data alone: `probe.py` reads it, `summary.py` sums it up."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Stopped(StrEnum):
    """The reason why a probe read no further."""

    COMPLETE = "complete"
    ENOUGH_KEYS = "enough_keys"
    OUT_OF_TIME = "out_of_time"
    SLOWER = "slower"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles over a namespace's keys; each key read counts for as many keys as it stands for."""

    p10: float
    p50: float
    p90: float
    most: float


@dataclass(frozen=True, slots=True)
class NamespaceProbe:
    """The keys of one namespace.

    `keys` and `bytes` are estimates for the whole server from the `keys_seen` that were read. Bytes are those of MEMORY
    USAGE, None where it is not permitted; `entry_bytes` is the mean of one key. `without_ttl` is a share of the keys,
    0 to 1. `ttl_left_s` covers the keys that have a TTL. `ttl_set_s` is the TTL that entries are written with, judged
    by the largest time left (never more than it; None below 20 keys with a TTL). `ttl_histogram` lists upper bounds in
    seconds (powers of two) with their keys, ascending. `idle_s` is the time since the last read or write (None under an
    LFU policy); `access_counter` is the LFU counter, logarithmic from 0 to 255 (None under any other policy). `sliding`
    says that reads seem to prolong the entries; None where the probe cannot tell.
    """

    keys: int
    keys_seen: int
    bytes: int | None
    entry_bytes: float | None
    largest_bytes: int | None
    without_ttl: float
    ttl_left_s: Quantiles | None
    ttl_set_s: float | None
    ttl_histogram: tuple[tuple[float, int], ...]
    idle_s: Quantiles | None
    access_counter: Quantiles | None
    sliding: bool | None


@dataclass(frozen=True, slots=True)
class BigKey:
    """A key that is large by itself; its name is shortened."""

    name: str
    type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The facts of one server from its INFO before the probe.

    Counters run since the server's start, `uptime_s` ago. None means that the server does not say. `replica_lag_bytes`
    is that of the replica furthest behind, or of this replica; `replicas` counts the connected ones. `says_limit`: INFO
    names maxmemory. `link_up`: of a replica, whether it hears its primary.
    """

    engine: str
    version: str
    role: str
    cluster: bool
    uptime_s: int
    keys: int
    keys_with_ttl: int
    used_bytes: int
    max_bytes: int
    policy: str
    fragmentation: float | None
    hits: int
    misses: int
    expired: int
    evicted: int
    clients: int
    max_clients: int | None
    connections: int
    rejected_connections: int
    replicas: int
    replica_lag_bytes: int | None
    cpu_s: float | None
    says_limit: bool = True
    link_up: bool | None = None

    @property
    def hit_ratio(self) -> float | None:
        """Return the hit ratio of the whole server since its start; None before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else None


@dataclass(frozen=True, slots=True)
class NodeProbe:
    """The probe of one server.

    `ping_ms` and `ping_after_ms` are medians before the probe and at its end. `busy_ms` is the time that requests of
    the probe took. `refused` names commands that the server does not permit or know; their fields are None.
    `keys_left_out` counts keys of the sample that have moved to another server or that the user may not read.
    """

    address: str
    facts: ServerFacts
    keys_seen: int
    stopped: Stopped
    ping_ms: float
    ping_after_ms: float
    busy_ms: float
    took_s: float
    refused: tuple[str, ...] = ()
    keys_left_out: int = 0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The probe of a whole cache: one node, or one for each shard of a cluster.

    `namespaces` come by name, those with most bytes (then keys) first; those beyond the limit are summed in `_other`.
    `missing` says of each shard that could not be read why.
    """

    nodes: tuple[NodeProbe, ...]
    namespaces: Mapping[str, NamespaceProbe]
    big_keys: tuple[BigKey, ...]
    missing: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Return True if every key of every node was read, so that no figure is an estimate."""
        return not self.missing and all(node.stopped == Stopped.COMPLETE for node in self.nodes)


@dataclass(frozen=True, slots=True)
class ServerUse:
    """The use of all servers of a cache at one moment: keys evicted since their start, bytes used."""

    evicted: int
    used_bytes: int
