"""The part of the database servers that all engines share: queries, and sessions for one statement."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from optimizer.core import Change
from optimizer.indexes.change.server import Cancelled, LockTimeout
from optimizer.indexes.change.session import SessionWorker
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import Connection, DatabaseUnreachable

NO_DEFINITION = "the change contains no definition of an index"


class EngineServer:
    """A database server for one invocation.

    reading: returns a healthy connection; called once, and again after the connection broke.
    opening: returns a new connection, reserved for one statement.
    explain: translates an error of the driver into an error of `optimizer.indexes.change.server`.
    prepare: a statement that a connection for reading needs first, if any.
    """

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
        """Open a worker; `prepare` configures its session and returns what identifies it."""
        connection = self._opening()
        try:
            session = prepare(connection)
        except BaseException:
            drivers.close(connection)
            raise
        return SessionWorker(connection, session, self._explain)


def definition_to_create(change: Change) -> str:
    """Return the definition of the index that the change creates, or that rolling it back creates again."""
    return str(change.after.get("definition") or change.undo.get("definition") or "")


def explain_code(
    code: object, lock_timeouts: Collection[object], cancellations: Collection[object]
) -> Exception | None:
    """Return the error for a code that means a lock timeout or a cancelled statement; None for any other code."""
    if code in lock_timeouts:
        return LockTimeout(f"the lock was not available in time ({code})")
    return Cancelled(f"the statement was cancelled ({code})") if code in cancellations else None
