"""The session of a build on real PostgreSQL servers, and its setting for the log."""

from collections.abc import Callable
from typing import Any

import pytest
from local_account.servers import postgresql
from local_account.servers.postgresql import PASSWORD, SUPERUSER, PostgresServer
from optimizer.indexes.change.postgresql import PostgresqlServer
from optimizer.indexes.connect import drivers
from pg8000.native import literal

SERVERS = pytest.mark.parametrize("installation", postgresql.INSTALLATIONS, ids=lambda known: known.name)


def compression(running: PostgresServer, user: str) -> str:
    """Return the setting with which a build of this user writes to the log."""

    def connect() -> Any:
        return running.connect(user=user)

    worker = PostgresqlServer(connect, connect).worker(1000)
    try:
        (found,) = drivers.rows(worker._connection, "SHOW wal_compression")
        return str(found["wal_compression"])
    finally:
        worker.close()


@SERVERS
def test_build_compresses_its_log_where_allowed(server: Callable[[Any], PostgresServer], installation: Any) -> None:
    running = server(installation)
    with running.session() as session:
        session.run(f"CREATE ROLE builder LOGIN PASSWORD {literal(PASSWORD)}")
        try:
            assert compression(running, SUPERUSER) in ("lz4", "pglz", "on")
            assert compression(running, "builder") == "off"
            session.run("GRANT SET ON PARAMETER wal_compression TO builder")
            assert compression(running, "builder") == compression(running, SUPERUSER)
            assert session.run("SHOW wal_compression") == [["off"]]
        finally:
            session.run("DROP OWNED BY builder")
            session.run("DROP ROLE builder")
