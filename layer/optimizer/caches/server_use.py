"""Read the use of a cache's servers, with one INFO each."""

from optimizer.caches.change import ServerUnreadable
from optimizer.caches.observe import ServerUse
from optimizer.caches.probe.errors import CacheFailed, UnusableEndpoint
from optimizer.caches.probe.server import Endpoint, ask, connect_nodes
from optimizer.caches.probe.server_info import parse_info


def read_use(url: str) -> ServerUse | None:
    """Return the use of all servers together; None without an address. Raises ServerUnreadable."""
    if not url:
        return None
    try:
        nodes = connect_nodes(Endpoint(url))
        try:
            servers = [parse_info(ask(node, node.client.info)) for node in nodes]
        finally:
            for node in nodes:
                node.client.close()
    except (CacheFailed, UnusableEndpoint) as failed:
        raise ServerUnreadable(str(failed)) from failed
    return ServerUse(sum(server.evicted for server in servers), sum(server.used_bytes for server in servers))
