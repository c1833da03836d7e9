"""A worker that sends one statement on its own connection, waits a while and leaves the rest to the server."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import Connection

# Workers whose statements continue. Their connections stay open while this environment lives, because some servers
# check now and then whether the client still exists.
_unfinished: list["SessionWorker"] = []


class SessionWorker:
    """Sends one statement from a thread, so that the call can end before the statement does."""

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
        """Return what identifies the session on its server, whatever it executes."""
        return dict(self._session)

    def send(self, statement: str, within_s: float) -> bool:
        """Return True if the statement was done in time; raise its error as the engine explains it."""

        def work() -> None:
            try:
                drivers.rows(self._connection, statement)
            except Exception as error:  # noqa: BLE001 - it is raised again in the thread that called `send`
                self._error = error

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        self._thread.join(within_s)
        if self._thread.is_alive():
            _unfinished.append(self)
            return False
        if isinstance(self._error, drivers.errors()):
            raise self._explain(self._error) from self._error
        if self._error is not None:
            raise self._error
        return True

    def close(self) -> None:
        """Close the connection unless its statement continues, and those of workers that have finished since."""
        if self not in _unfinished:
            drivers.close(self._connection)
        for worker in [worker for worker in _unfinished if worker.is_done]:
            _unfinished.remove(worker)
            drivers.close(worker._connection)

    @property
    def is_done(self) -> bool:
        """True if the statement of the worker has ended."""
        return self._thread is None or not self._thread.is_alive()
