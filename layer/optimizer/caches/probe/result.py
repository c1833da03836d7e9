"""What a probe of a cache server found. Data alone; `probe.py` reads it, `summary.py` puts it together."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Stopped(StrEnum):
    """Why a probe read no further."""

    COMPLETE = "complete"
    ENOUGH_KEYS = "enough_keys"
    OUT_OF_TIME = "out_of_time"
    SLOWER = "slower"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of a namespace's keys; each key counts for as many as it stands for."""

    p10: float
    p50: float
    p90: float
    most: float


@dataclass(frozen=True, slots=True)
class NamespaceProbe:
    """One namespace.

    keys, bytes: estimates for the whole server from the `keys_seen` that were read; bytes as MEMORY USAGE counts them
    (None where it is not permitted). entry_bytes: mean of one key. without_ttl: share of the keys, 0 to 1.
    ttl_left_s: time to live that is left, of the keys that have one. ttl_set_s: the TTL that entries are written
    with, as far as the largest that is left tells (never more than it; None below 20 keys with a TTL).
    ttl_histogram: upper bound in seconds (powers of two) and keys, ascending. idle_s: since the last read or write
    (None under an LFU policy), access_counter: the LFU counter, 0 to 255 and logarithmic (None under any other).
    sliding: whether reads seem to prolong the entries; None where the probe cannot tell.
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
    """A key that is large by itself: its name (shortened), type and bytes."""

    name: str
    type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What INFO says of one server before the probe. Counters are since its start, `uptime_s` ago. None: not said.

    replica_lag_bytes: of the replica that is furthest behind, or of this one; replicas: connected ones.
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

    @property
    def hit_ratio(self) -> float | None:
        """Of the whole server since its start; None before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else None


@dataclass(frozen=True, slots=True)
class NodeProbe:
    """One server that was read. ping_ms and ping_after_ms: median before the probe and at its end; busy_ms: time that
    requests of the probe took; refused: commands that the server does not permit or know, which left fields None."""

    address: str
    facts: ServerFacts
    keys_seen: int
    stopped: Stopped
    ping_ms: float
    ping_after_ms: float
    busy_ms: float
    took_s: float
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A whole cache: one node, or one for each shard of a cluster.

    namespaces: by name, most bytes (then keys) first; those beyond the limit are together in `_other`.
    """

    nodes: tuple[NodeProbe, ...]
    namespaces: Mapping[str, NamespaceProbe]
    big_keys: tuple[BigKey, ...]

    @property
    def complete(self) -> bool:
        """Whether every key of every node was read, so that the figures are no estimates."""
        return all(node.stopped == Stopped.COMPLETE for node in self.nodes)
