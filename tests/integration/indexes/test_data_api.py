"""Compare Aurora PostgreSQL through the RDS Data API with a connection, and test its errors."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from local_account.servers import postgresql
from local_account.servers.postgresql import PASSWORD, SUPERUSER, PostgresServer
from optimizer.indexes.change import server_for
from optimizer.indexes.change.server import Job, StatementFailed
from optimizer.indexes.connect import data_api
from optimizer.indexes.connect.data_api import DataApiConnection
from optimizer.indexes.connect.drivers import AccessDenied, DatabaseUnreachable, rows
from optimizer.indexes.connect.pool import Connections
from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.postgresql.look import look
from optimizer.indexes.read_nodes import read_nodes
from optimizer.policy.model import Database
from pg8000.exceptions import DatabaseError

from tests.helpers.data_api_twin import DataApiTwin

ARN, SECRET = (
    "arn:aws:rds:eu-central-1:123456789012:cluster:shop",
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop",
)
SERVERS = pytest.mark.parametrize("installation", postgresql.INSTALLATIONS, ids=lambda known: known.name)
STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS {extension}",
    'CREATE SCHEMA "Shop""s"',
    'CREATE TABLE "Shop""s"."Ta ble" (id int PRIMARY KEY, a int, b text COLLATE "C", c numeric, d timestamptz)',
    'INSERT INTO "Shop""s"."Ta ble" SELECT n, n % 50, \'übér \' || n, n / 7.0, now() FROM generate_series(1, 20000) n',
    'CREATE INDEX "I ndex" ON "Shop""s"."Ta ble" (a, b DESC) INCLUDE (c) WHERE a > 3',
    'CREATE INDEX "I ndex 2" ON "Shop""s"."Ta ble" (lower(b))',
    'CREATE TABLE child (id int REFERENCES "Shop""s"."Ta ble" ON DELETE CASCADE)',
    *(f"CREATE INDEX child_{number} ON child (id) WHERE id > {number}" for number in range(45)),
    'ANALYZE "Shop""s"."Ta ble"',
)


@pytest.fixture
def shop(server: Callable[[Any], PostgresServer]) -> Iterator[Callable[[Any], tuple[PostgresServer, str]]]:
    """Return a function that creates the test database on a server."""
    with ExitStack() as stack:

        def make(installation: Any) -> tuple[PostgresServer, str]:
            running = server(installation)
            has_contrib = installation is postgresql.DEBIAN_15
            extension = "pg_stat_statements" if has_contrib else "plpgsql"
            database = running.database(*(one.format(extension=extension) for one in STATEMENTS))
            return running, stack.enter_context(database)

        yield make


def pool(twin: Any) -> Connections:
    return Connections(lambda: None, lambda: None, str, data_api=lambda _once: twin)  # type: ignore[arg-type, return-value]


def behind_api(name: str) -> Database:
    return Database("shop", "postgresql", "cluster", name, secret_arn=SECRET, data_api_arn=ARN)


def comparable(catalog: Catalog) -> Any:
    """Return the catalog without values that differ between two looks, such as counters that a look changes."""
    server = replace(catalog.server, read_at=None, settings={})  # type: ignore[arg-type]
    statements = sorted((one.key, one.text) for one in catalog.statements if "Ta ble" in (one.text or ""))
    return replace(catalog, server=server, statements=()), statements


@SERVERS
def test_data_api_reads_the_same_catalog_as_a_connection(shop: Any, installation: Any) -> None:
    running, name = shop(installation)
    twin = DataApiTwin(running.connect)
    with running.session(name) as session:
        direct = look(session, node="cluster")
    (found,) = read_nodes(behind_api(name), pool(twin))
    assert comparable(found) == comparable(direct)
    assert len(found.indexes) == 48
    assert twin.open_transactions() == 0
    assert max(sum(1 for _, sql in twin.calls if sql == f"FETCH 20 FROM optimizer_{n}") for n in range(99)) >= 3


@SERVERS
def test_data_api_sees_the_same_state_as_a_connection(shop: Any, installation: Any) -> None:
    running, name = shop(installation)
    direct = Database("shop", "postgresql", "127.0.0.1", name, port=running.port, tls="off", user=SUPERUSER)
    tokens: Any = type("Tokens", (), {"generate_db_auth_token": staticmethod(lambda **_: PASSWORD)})
    own = server_for(direct, Connections(lambda: None, lambda: tokens, str))  # type: ignore[arg-type, return-value]
    other = server_for(behind_api(name), pool(DataApiTwin(running.connect)))
    for index, job in (("I ndex", Job.REBUILD), ("Ta ble_pkey", Job.DROP), ("", Job.VACUUM), ("none", Job.DROP)):
        state = other.look('Shop"s', "Ta ble", index, job)
        assert state == own.look('Shop"s', "Ta ble", index, job)
        if state is not None:
            assert other.conditions(state).transaction_s is not None
            assert other.leftovers(state, job) == own.leftovers(state, job)
            times, others = own.times(state), other.times(state)
            assert (times is None) == (others is None) == (installation is not postgresql.DEBIAN_15)


def test_values_of_every_type_survive_the_round_trip(shop: Any) -> None:
    running, name = shop(postgresql.WHEEL_16)
    twin = DataApiTwin(running.connect)
    connection = DataApiConnection(lambda: twin, ARN, SECRET, name)
    query = (
        "SELECT CAST(:t AS text), CAST(:n AS int), CAST(:f AS float8), CAST(:b AS boolean), CAST(:z AS text),"
        " to_jsonb(CAST(:a AS text[])), CAST(:n AS numeric)"
    )
    values = {"t": "ü'\"", "n": 7, "f": 0.5, "b": True, "z": None, "a": ['a"b', "c\\d", "e,f", "{}", ""]}
    assert connection.run(query, **values) == [["ü'\"", 7, 0.5, True, None, values["a"], 7]]
    assert rows(connection, "SELECT oid, relname FROM pg_class WHERE oid = :oid", oid=1259) == [
        {"oid": "1259", "relname": "pg_class"}
    ]
    assert twin.open_transactions() == 0


def test_transaction_ends_after_any_error(shop: Any) -> None:
    running, name = shop(postgresql.WHEEL_16)
    twin = DataApiTwin(running.connect)
    connection = DataApiConnection(lambda: twin, ARN, SECRET, name)
    connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    with pytest.raises(DatabaseError) as refused:
        connection.run("SELECT 1 / 0 FROM child_none")
    assert refused.value.args[0] == {"S": "ERROR", "C": "42P01", "M": 'relation "child_none" does not exist'}
    connection.run("ROLLBACK")
    connection.run("ROLLBACK")
    with pytest.raises(DatabaseError, match="syntax error"):
        connection.run("BEGIN NONSENSE")
    assert twin.open_transactions() == 0


def test_too_large_response_is_an_error_of_the_statement(shop: Any) -> None:
    running, name = shop(postgresql.WHEEL_16)
    twin = DataApiTwin(running.connect)
    connection = DataApiConnection(lambda: twin, ARN, SECRET, name)
    with pytest.raises(DatabaseError, match="size limit"):
        connection.run("SELECT repeat('x', 2000000)")
    connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    assert len(connection.run("SELECT repeat('x', 40000) FROM generate_series(1, 60)")) == 60
    connection.run("ROLLBACK")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ForbiddenException", AccessDenied),
        ("AccessDeniedException", AccessDenied),
        ("DatabaseResumingException", DatabaseUnreachable),
        ("HttpEndpointNotEnabledException", DatabaseUnreachable),
        ("ThrottlingException", DatabaseUnreachable),
        ("BadRequestException", DatabaseUnreachable),
        ("StatementTimeoutException", data_api.StillRunning),
    ],
)
def test_service_error_is_translated_and_quoted(code: str, kind: type[Exception]) -> None:
    twin: Any = DataApiTwin(lambda _database: None, refuse=code)  # type: ignore[arg-type, return-value]
    with pytest.raises(kind, match="the twin was told so"):
        DataApiConnection(lambda: twin, ARN, SECRET, "shop").run("SELECT 1")


def test_role_without_lock_timeout_sends_nothing(shop: Any) -> None:
    running, name = shop(postgresql.WHEEL_16)
    server = server_for(behind_api(name), pool(DataApiTwin(running.connect)))
    with pytest.raises(StatementFailed, match=r"ALTER ROLE postgres SET lock_timeout = '3000ms'"):
        server.worker(3000)


def test_role_without_closed_search_path_sends_nothing(shop: Any) -> None:
    running, name = shop(postgresql.WHEEL_16)
    closed = "pg_catalog, pg_temp"
    for path, is_enough in (('"$user", public', False), (f"{closed}, public", False), (closed, True)):
        settings = {"lock_timeout": "3000", "search_path": path}

        def connect(database: str, settings: dict[str, str] = settings) -> Any:
            return running.connect(database, startup_params=settings)

        server = server_for(behind_api(name), pool(DataApiTwin(connect)))
        if is_enough:
            server.worker(3000).close()
            continue
        with pytest.raises(StatementFailed, match=r"ALTER ROLE postgres SET search_path = pg_catalog, pg_temp$"):
            server.worker(3000)
