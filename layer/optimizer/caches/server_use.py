"""Read the use of a cache's servers, with one INFO each."""

from optimizer.caches.change import ServerUnreadable
from optimizer.caches.observe import ServerUse
from optimizer.caches.probe.errors import CacheFailed
from optimizer.caches.probe.server import Endpoint, UnusableEndpoint, nodes, told
from optimizer.caches.probe.server_info import facts


def read_use(url: str) -> ServerUse | None:
    """Return the use of all servers together; None without an address. Raises ServerUnreadable."""
    if not url:
        return None
    try:
        found = nodes(Endpoint(url))
        try:
            read = [facts(told(node, node.client.info)) for node in found]
        finally:
            for node in found:
                node.client.close()
    except (CacheFailed, UnusableEndpoint) as failed:
        raise ServerUnreadable(str(failed)) from failed
    return ServerUse(sum(node.evicted for node in read), sum(node.used_bytes for node in read))
