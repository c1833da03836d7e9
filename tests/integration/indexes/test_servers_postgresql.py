"""Test the PostgreSQL servers that the other tests run on."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from local_account.servers import Installation, ServerProcess, postgresql
from local_account.servers.postgresql import PostgresServer

Get = Callable[[Installation[PostgresServer]], PostgresServer]


@pytest.mark.parametrize("installation", postgresql.INSTALLATIONS, ids=lambda known: known.name)
def test_server_runs_unprivileged_with_separate_databases(
    server: Get, installation: Installation[PostgresServer]
) -> None:
    running = server(installation)
    with running.database('CREATE TABLE "Tä ble" (a int)') as name, running.session(name) as session:
        assert session.run("SELECT count(*) FROM pg_class WHERE relname = 'Tä ble'") == [[1]]
        assert session.run("SELECT current_database()") == [[name]]
    with running.session() as session:
        assert session.run("SELECT count(*) FROM pg_database WHERE datname = :name", name=name) == [[0]]


def test_crashed_server_restarts_with_its_data(server: Get) -> None:
    server(postgresql.WHEEL_16)
    with postgresql.start_wheel_16() as running:
        with running.session() as session:
            session.run("CREATE TABLE kept (a int)")
        running.restart(crash=True)
        with running.session() as session:
            assert session.run("SELECT count(*) FROM kept") == [[0]]
        folder = running.folder
    assert not folder.exists()


def test_stopped_server_leaves_no_process(tmp_path: Path) -> None:
    process = ServerProcess(["sleep", "60"], tmp_path / "log", environment={"PATH": "/usr/bin:/bin"}, user=None)
    process.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
