"""What the servers of all engines have in common: asking, and sessions for one statement."""

from collections.abc import Callable, Mapping
from typing import Any

from optimizer.indexes.change.session import SessionWorker
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import Connection, DatabaseUnreachable


class EngineServer:
    """For one invocation. `reading`: gives a healthy connection, asked for once and again after it broke. `prepare`:
    a statement that it needs first, if any. `opening`: gives a new one that its statement alone uses. `explain`: what a
    driver's error means to the life of a change."""

    def __init__(
        self,
        reading: Callable[[], Connection],
        opening: Callable[[], Connection],
        explain: Callable[[BaseException], Exception],
        prepare: str = "",
    ) -> None:
        self._reading = reading
        self._prepare = prepare
        self._current: Connection | None = None
        self._opening = opening
        self._explain = explain

    def _ask(self, connection: Connection, query: str, **values: Any) -> list[dict[str, Any]]:
        try:
            return drivers.rows(connection, query, **values)
        except drivers.errors() as error:
            raise self._explain(error) from error

    def _rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        if self._current is None:
            connection = self._reading()
            if self._prepare:
                self._ask(connection, self._prepare)
            self._current = connection
        try:
            return self._ask(self._current, query, **values)
        except DatabaseUnreachable:
            self._current = None
            raise

    def _open_worker(self, prepare: Callable[[Connection], Mapping[str, Any]]) -> SessionWorker:
        """`prepare` sets the session up and says what identifies it."""
        connection = self._opening()
        try:
            session = prepare(connection)
        except BaseException:
            drivers.close(connection)
            raise
        return SessionWorker(connection, session, self._explain)
