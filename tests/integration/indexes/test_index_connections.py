"""Test that connections are reused, replaced when broken and limited, and that secrets are read again."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from local_account.servers import mariadb, mysql_family, postgresql
from optimizer.indexes.connect import drivers, slots
from optimizer.indexes.connect.drivers import AccessDenied, DatabaseUnreachable
from optimizer.indexes.connect.login import Address
from optimizer.indexes.connect.pool import Connections
from optimizer.indexes.connect.slots import TooManyConnections
from optimizer.policy.model import Database
from optimizer_connections import ReusedConnection

SERVERS = pytest.mark.parametrize("installation", [postgresql.WHEEL_16, mariadb.PLAIN], ids=["PostgreSQL", "MariaDB"])
PID = {"postgresql": "SELECT pg_backend_pid() AS pid", "mariadb": "SELECT CONNECTION_ID() AS pid"}
KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL CONNECTION {}"}


class Secrets:
    """Stands for Secrets Manager; the password may be rotated."""

    def __init__(self, user: str, password: str) -> None:
        self.user, self.password, self.asked = user, password, 0
        self.hosts: dict[str, Any] = {"host": "127.0.0.1"}

    def get_secret_value(self, **_: str) -> dict[str, str]:
        self.asked += 1
        return {"SecretString": json.dumps({"username": self.user, "password": self.password, **self.hosts})}


class Team:
    """A database, its secret, and pools of two execution environments. `now` is their clock."""

    def __init__(self, installation: Any, running: Any) -> None:
        is_postgresql = isinstance(running, postgresql.PostgresServer)
        self.engine = "postgresql" if is_postgresql else "mariadb"
        user = (postgresql.SUPERUSER, postgresql.PASSWORD) if is_postgresql else (mysql_family.USER, "local-only")
        self.secrets, self.now = Secrets(*user), 0.0
        self.database = Database(
            name="shop",
            engine=self.engine,
            host="127.0.0.1",
            port=running.port,
            database="postgres" if is_postgresql else "mysql",
            secret_arn="arn",
            tls="off",
            max_connections=2,
        )
        self.pools = [Connections(lambda: self.secrets, lambda: None, str, lambda: self.now) for _ in range(2)]
        assert installation

    def pid(self, pool: int = 0, database: Database | None = None) -> int:
        connection = self.pools[pool].get(database or self.database)
        return int(drivers.rows(connection, PID[self.engine])[0]["pid"])

    def kill(self, pid: int) -> None:
        other = self.pools[1].open(self.database)
        drivers.rows(other, KILL[self.engine].format(pid))
        drivers.close(other)

    def close(self) -> None:
        for pool in self.pools:
            pool.forget(self.database)


@pytest.fixture
def team(server: Callable[[Any], Any], installation: Any) -> Any:
    one = Team(installation, server(installation))
    yield one
    one.close()


@SERVERS
def test_connection_is_reused_until_old_or_broken(team: Team) -> None:
    first = team.pid()
    assert team.pid() == first
    team.kill(first)
    second = team.pid()
    assert second != first
    team.now += 599
    assert team.pid() == second
    team.now += 2
    assert team.pid() != second


@SERVERS
def test_environments_never_exceed_the_allowed_connections(team: Team) -> None:
    opened = [team.pools[n].open(team.database) for n in range(2)]
    with pytest.raises(TooManyConnections):
        team.pools[0].open(team.database)
    drivers.close(opened.pop())
    for _ in range(50):
        try:
            opened.append(team.pools[1].open(team.database))
            break
        except TooManyConnections:
            continue
    assert len(opened) == 2
    for connection in opened:
        drivers.close(connection)


@SERVERS
def test_sleeping_environment_gives_up_its_connection(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda freezes environments for hours with open connections: those are ended, not connections in use."""
    monkeypatch.setattr(slots, "_ASLEEP_S", 1)
    asleep = team.pid(pool=0)
    time.sleep(1.1)
    awake = team.pid(pool=1)
    third = Connections(lambda: team.secrets, lambda: None, str, lambda: team.now)
    team.pools.append(third)
    assert team.pid(pool=2) not in (asleep, awake)
    assert team.pid(pool=1) == awake
    monkeypatch.setattr(slots, "_ASLEEP_S", 3600)
    with pytest.raises(TooManyConnections):
        team.pid(pool=0)


@SERVERS
def test_rotated_password_is_read_again(team: Team) -> None:
    right, team.secrets.password = team.secrets.password, "yesterday's"
    with pytest.raises(AccessDenied):
        team.pid()
    assert team.secrets.asked == 2
    team.secrets.password = right
    team.pid()
    assert team.secrets.asked == 3
    team.pools[0].forget(team.database)
    team.pid()
    assert team.secrets.asked == 3


@SERVERS
def test_server_without_encryption_is_rejected_if_tls_is_set(team: Team) -> None:
    with pytest.raises(DatabaseUnreachable):
        team.pid(database=replace(team.database, name="encrypted", tls="verify"))


@SERVERS
def test_broken_helper_connection_is_replaced(team: Team) -> None:
    helper = ReusedConnection(
        lambda: team.pools[0].open(team.database), lambda one: drivers.rows(one, "SELECT 1"), check_after_s=0
    )

    def pid() -> int:
        return int(helper.run(lambda one: drivers.rows(one, PID[team.engine]))[0]["pid"])

    first = pid()
    assert pid() == first
    team.kill(first)
    assert pid() != first
    with pytest.raises(ZeroDivisionError):
        helper.run(lambda _one: 1 // 0)
    helper.close()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", Address("db", 5432)),
        ("reader", Address("reader", 5432)),
        ("reader:6543", Address("reader", 6543)),
        ("[::1]:6543", Address("::1", 6543)),
        ("::1", Address("::1", 5432)),
    ],
)
def test_node_may_have_a_port_of_its_own(host: str, address: Address) -> None:
    assert Address.of_node(Database("shop", "postgresql", "db", "shop"), host) == address
