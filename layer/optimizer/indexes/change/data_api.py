"""Acting on Aurora PostgreSQL through the RDS Data API, where a statement has no session that could be prepared for it
or recognised by its process."""

from collections.abc import Callable, Mapping
from typing import Any

from optimizer.indexes.change import postgresql_sql as sql
from optimizer.indexes.change.postgresql import PostgresqlServer, explain
from optimizer.indexes.change.server import StatementFailed, Worker
from optimizer.indexes.connect import drivers, search_path
from optimizer.indexes.connect.data_api import DataApiConnection, StillRunning
from optimizer.indexes.connect.drivers import Connection


class DataApiServer(PostgresqlServer):
    """`reading`, `opening`: EngineServer's; what they give is a DataApiConnection."""

    _is_session = sql.IS_STATEMENT

    def __init__(self, reading: Callable[[], Connection], opening: Callable[[], Connection]) -> None:
        # Nothing to prepare: the next call would have another session.
        super().__init__(reading, opening, prepare="")

    def worker(self, lock_timeout_ms: int) -> Worker:
        """StatementFailed unless the role's own sessions wait so long for a lock at the most (others would queue behind
        the statement), and look names up in pg_catalog alone: no setting of ours lasts until it is sent."""
        connection = self._opening()
        assert isinstance(connection, DataApiConnection)  # noqa: S101 - as the policy says
        (own,) = self._ask(connection, sql.OWN_SETTINGS)
        if not 0 < own["lock_timeout_ms"] <= lock_timeout_ms:
            raise StatementFailed(
                "through the Data API the role itself must say how long to wait for a lock: "
                f"ALTER ROLE {own['role']} SET lock_timeout = '{lock_timeout_ms}ms'"
            )
        if not search_path.is_closed(own["search_path"]):
            raise StatementFailed(
                "through the Data API the role itself must say that names are looked up in pg_catalog alone: "
                f"ALTER ROLE {own['role']} SET search_path = pg_catalog, pg_temp"
            )
        return DataApiWorker(connection)

    def _identity(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """By the statement and the role; changes take turns on a cluster, so that there is one of it."""
        return {"statement": str(session["statement"])}


class DataApiWorker:
    """Sends one statement. The API answers after 45 s at the latest, and is waited for: only its own answer says that
    the statement goes on."""

    def __init__(self, connection: DataApiConnection) -> None:
        self._connection = connection

    def session(self, statement: str) -> dict[str, Any]:
        """The statement is all that identifies it."""
        return {"statement": statement}

    def send(self, statement: str, _within_s: float) -> bool:
        """As Worker's."""
        try:
            self._connection.go_on(statement)
        except StillRunning:
            return False
        except drivers.errors() as error:
            raise explain(error) from error
        return True

    def close(self) -> None:
        """Nothing is open."""
