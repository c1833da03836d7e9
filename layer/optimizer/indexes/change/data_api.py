"""Changes indexes of Aurora PostgreSQL through the RDS Data API.

The API offers no session that could be configured for a statement or recognised by its process.
"""

from collections.abc import Callable, Mapping
from typing import Any

from optimizer.indexes.change import postgresql_sql as sql
from optimizer.indexes.change.postgresql import PostgresqlServer, explain
from optimizer.indexes.change.server import StatementFailed, Worker
from optimizer.indexes.connect import Connection, DataApiConnection, StillRunning, drivers, search_path


class DataApiServer(PostgresqlServer):
    """An EngineServer whose connections are DataApiConnections."""

    _is_session = sql.IS_STATEMENT

    def __init__(self, reading: Callable[[], Connection], opening: Callable[[], Connection]) -> None:
        # There is nothing to prepare, because the next call would use another session.
        super().__init__(reading, opening, prepare="")

    def worker(self, lock_timeout_ms: int) -> Worker:
        """Open a worker; raise StatementFailed unless the settings of the role are safe for a change.

        No setting of this call lasts until the statement is sent. So the role itself must limit how long its sessions
        wait for a lock (other statements queue behind them) and look names up in pg_catalog only.
        """
        connection = self._opening()
        assert isinstance(connection, DataApiConnection)  # noqa: S101 - the policy names a Data API
        (own,) = self._ask(connection, sql.OWN_SETTINGS)
        if not 0 < own["lock_timeout_ms"] <= lock_timeout_ms:
            raise StatementFailed(
                f"through the Data API the role itself must wait at most {lock_timeout_ms} ms for a lock: "
                f"ALTER ROLE {own['role']} SET lock_timeout = '{lock_timeout_ms}ms'"
            )
        if not search_path.is_closed(own["search_path"]):
            raise StatementFailed(
                "through the Data API the role itself must look names up in pg_catalog only: "
                f"ALTER ROLE {own['role']} SET search_path = pg_catalog, pg_temp"
            )
        return DataApiWorker(connection)

    def _identity(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """Identify the session by its statement and role; changes take turns on a cluster, so there is only one."""
        return {"statement": str(session["statement"])}


class DataApiWorker:
    """Sends one statement and waits for the API, which responds within 45 s.

    Only the response of the API tells that the statement continues.
    """

    def __init__(self, connection: DataApiConnection) -> None:
        self._connection = connection

    def session(self, statement: str) -> dict[str, Any]:
        """Return the statement, the only thing that identifies the session."""
        return {"statement": statement}

    def send(self, statement: str, _within_s: float) -> bool:
        """Send the statement as `Worker.send` specifies."""
        try:
            self._connection.run_long(statement)
        except StillRunning:
            return False
        except drivers.errors() as error:
            raise explain(error) from error
        return True

    def close(self) -> None:
        """Do nothing, because no connection is open."""
