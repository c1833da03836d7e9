"""Probe a cache so slowly that its clients do not notice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from optimizer.caches.probe.errors import CacheFailed, UnusableEndpoint
from optimizer.caches.probe.reader import ProbeLimits, Reader
from optimizer.caches.probe.result import NodeProbe, ProbeResult, ServerUse, Stopped
from optimizer.caches.probe.server import Endpoint, ask, connect_nodes
from optimizer.caches.probe.server_info import parse_info
from optimizer.caches.probe.summary import KeyReading, big_keys, summarise

BIG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class ProbeProgress:
    """The progress of a probe: `keys_seen` of at most `most_keys`, on server `node` (from 1) of `of`."""

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
    """Read a sample of the keys of all servers of a cache, one server after another.

    The limits hold for all servers together. `prefixes` maps namespaces to the prefix of their keys (see
    `key_names.assign_namespaces`). A server that becomes slower ends the probe of all servers (`Stopped.SLOWER`); the
    keys read until then count. Raises CacheFailed and UnusableEndpoint.
    """
    limits = limits or ProbeLimits()
    readings: list[KeyReading] = []
    found: list[NodeProbe] = []
    missing: list[str] = []
    servers = connect_nodes(endpoint, missing)
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
    return ProbeResult(tuple(found), summarise(readings, prefixes), big_keys(readings, BIG_BYTES), tuple(missing))


def read_use(url: str) -> ServerUse | None:
    """Return the use of all servers of a cache, with one INFO each; None without an address. Raises CacheFailed."""
    if not url:
        return None
    try:
        nodes = connect_nodes(Endpoint(url))
    except UnusableEndpoint as unusable:
        raise CacheFailed(str(unusable)) from unusable
    try:
        servers = [parse_info(ask(node, node.client.info)) for node in nodes]
    finally:
        for node in nodes:
            node.client.close()
    return ServerUse(sum(server.evicted for server in servers), sum(server.used_bytes for server in servers))
