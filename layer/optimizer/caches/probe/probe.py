"""Looks at a cache so slowly that nobody notices, and says what is in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from optimizer.caches.probe.reader import ProbeLimits, Reader
from optimizer.caches.probe.result import NodeProbe, ProbeResult, Stopped
from optimizer.caches.probe.server import Endpoint, nodes
from optimizer.caches.probe.summary import KeyReading, big_keys, summarise

BIG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class ProbeProgress:
    """keys_seen of at most most_keys, on server number `node` (from 1) of `of`."""

    keys_seen: int
    most_keys: int
    node: int
    of: int


def probe_cache(
    endpoint: Endpoint,
    limits: ProbeLimits | None = None,
    prefixes: Mapping[str, str] | None = None,
    progress: Callable[[ProbeProgress], None] | None = None,
) -> ProbeResult:
    """prefixes: what the keys of namespaces begin with (see `key_names.namespaces`). The limits are for all servers
    together; of a cluster they are read one after the other.

    A server that becomes slower ends the probe of all (`Stopped.SLOWER`); what was read until then is kept.
    Raises CacheFailed, UnusableEndpoint.
    """
    limits = limits or ProbeLimits()
    readings: list[KeyReading] = []
    found: list[NodeProbe] = []
    servers = nodes(endpoint)
    share = replace(
        limits,
        keys=max(1, limits.keys // len(servers)),
        seconds=limits.seconds / len(servers),
        second_look_keys=limits.second_look_keys // len(servers),
    )
    try:
        for number, node in enumerate(servers, 1):

            def seen(keys: int, number: int = number, before: int = len(readings)) -> None:
                if progress is not None:
                    progress(ProbeProgress(before + keys, limits.keys, number, len(servers)))

            read, node_probe = Reader(node, share, BIG_BYTES, seen, prefixes).run()
            readings += read
            found.append(node_probe)
            if node_probe.stopped == Stopped.SLOWER:
                break
    finally:
        for node in servers:
            node.client.close()
    return ProbeResult(tuple(found), summarise(readings, prefixes), big_keys(readings, BIG_BYTES))
