"""Start Debian's Redis 7."""

import shutil
from pathlib import Path

from local_account.servers import Installation
from local_account.servers.redis_protocol import CacheServer


def program() -> Path | None:
    """Return the path of the server, if it is installed."""
    program = shutil.which("redis-server")
    return None if program is None else Path(program)


def start() -> CacheServer:
    """Start a new server; raise FileNotFoundError if it is not installed."""
    found = program()
    if found is None:
        raise FileNotFoundError("Redis is not installed")
    return CacheServer(found)


REDIS_7 = Installation("Redis 7 (Debian)", program, start, "apt-get install redis-server")
INSTALLATIONS = (REDIS_7,)
