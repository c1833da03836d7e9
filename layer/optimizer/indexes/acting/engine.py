"""What the servers of all engines have in common: asking, and sessions for one statement."""

from collections.abc import Callable, Mapping
from typing import Any

from optimizer.indexes import drivers
from optimizer.indexes.acting.worker import SessionWorker
from optimizer.indexes.drivers import Connection


class EngineServer:
    """`reading`: gives a healthy connection. `opening`: gives a new one that its statement alone uses. `explain`: what
    a driver's error means to the life of a change."""

    def __init__(
        self,
        reading: Callable[[], Connection],
        opening: Callable[[], Connection],
        explain: Callable[[BaseException], Exception],
    ) -> None:
        self._reading = reading
        self._opening = opening
        self._explain = explain

    def _ask(self, connection: Connection, query: str, **values: Any) -> list[dict[str, Any]]:
        try:
            return drivers.rows(connection, query, **values)
        except Exception as error:
            raise self._explain(error) from error

    def _open_worker(self, prepare: Callable[[Connection], Mapping[str, Any]]) -> SessionWorker:
        """`prepare` sets the session up and says what identifies it."""
        connection = self._opening()
        try:
            session = prepare(connection)
        except BaseException:
            drivers.close(connection)
            raise
        return SessionWorker(connection, session, self._explain)
