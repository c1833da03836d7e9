"""A statement sent on a connection of its own: waited for a while, then left to the server."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import Connection

# Connections of statements that go on: kept open while this environment lives, because some servers look now and then
# whether their client is still there.
_left: list["SessionWorker"] = []


class SessionWorker:
    """Sends one statement from a thread, so that this call can end before the statement does."""

    def __init__(
        self,
        connection: Connection,
        session: Mapping[str, Any],
        explain: Callable[[BaseException], Exception],
    ) -> None:
        self._connection = connection
        self._session = dict(session)
        self._explain = explain
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def session(self, _statement: str) -> dict[str, Any]:
        """Identifies the session on its server, whatever it runs."""
        return dict(self._session)

    def send(self, statement: str, within_s: float) -> bool:
        """True if it was done within the time; what it raised is raised as the engine explains it."""

        def work() -> None:
            try:
                drivers.rows(self._connection, statement)
            except Exception as error:  # noqa: BLE001 - it is raised where it can be seen
                self._error = error

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        self._thread.join(within_s)
        if self._thread.is_alive():
            _left.append(self)
            return False
        if isinstance(self._error, drivers.errors()):
            raise self._explain(self._error) from self._error
        if self._error is not None:
            raise self._error
        return True

    def close(self) -> None:
        """Hang up, unless the statement goes on; hangs up what has ended meanwhile, too."""
        if self not in _left:
            drivers.close(self._connection)
        for worker in [worker for worker in _left if worker.is_done]:
            _left.remove(worker)
            drivers.close(worker._connection)

    @property
    def is_done(self) -> bool:
        """Whether its statement has ended."""
        return self._thread is None or not self._thread.is_alive()
