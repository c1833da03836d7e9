"""Start servers for a test session, each once when a test first asks for it, and remember the missing ones."""

import contextlib
from collections.abc import Iterable
from typing import Any

from local_account.servers import Installation, mariadb, mysql, postgresql, redis_debian, valkey

# Every server that a test may ask for.
KNOWN: tuple[Installation[Any], ...] = (
    *postgresql.INSTALLATIONS,
    *mysql.INSTALLATIONS,
    *mariadb.INSTALLATIONS,
    *valkey.INSTALLATIONS,
    *redis_debian.INSTALLATIONS,
)


class NotInstalled(LookupError):
    """The server is not on this machine; the message says how to get it."""


class TestServers:
    """Servers that start on demand and run until the end of the session."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._running: dict[str, Any] = {}

    def get[S](self, installation: Installation[S]) -> S:
        """Return the running server; raise NotInstalled where it is missing."""
        if installation.find() is None:
            raise NotInstalled(f"{installation.name} is not installed: {installation.install}")
        if installation.name not in self._running:
            server: Any = installation.start()
            self._stack.callback(server.stop)
            self._running[installation.name] = server
        found: S = self._running[installation.name]
        return found

    @property
    def ran_on(self) -> list[str]:
        """Return the names of the servers that were started."""
        return list(self._running)

    def stop(self) -> None:
        """Stop all servers."""
        self._stack.close()


def summary(ran_on: Iterable[str]) -> list[str]:
    """Return a line that names the servers the tests ran on, and the missing ones."""
    missing = [f"{known.name} ({known.install})" for known in KNOWN if known.find() is None]
    lines = [f"ran on: {', '.join(sorted(ran_on)) or 'none'}"]
    return [*lines, f"missing: {', '.join(missing)}"] if missing else lines
