"""Test that statements never use functions, operators, types and tables that others created under PostgreSQL's names.

Such objects are traps: they write a line into the server's log when they are used. Every session must avoid them,
whatever the search path of its role or database is.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from local_account.servers import postgresql
from local_account.servers.postgresql import PASSWORD, SUPERUSER, PostgresServer
from optimizer.core.change import Change, Risk, Tuner
from optimizer.indexes.change import server_for
from optimizer.indexes.change.server import DatabaseServer, Job, StatementFailed
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.pool import Connections
from optimizer.indexes.connect.slots import TooManyConnections
from optimizer.indexes.read_nodes import read_nodes
from optimizer.policy.model import Database
from optimizer_cli.inspections.indexes import command
from pg8000.exceptions import DatabaseError

from tests.helpers.data_api_twin import DataApiTwin

SERVERS = pytest.mark.parametrize("installation", postgresql.INSTALLATIONS, ids=lambda known: known.name)
PATHS = pytest.mark.parametrize("path", ["", "public, pg_catalog"], ids=["default path", "public first"])
ARN, SECRET = (
    "arn:aws:rds:eu-central-1:123456789012:cluster:shop",
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop",
)
TABLES = (
    "CREATE SCHEMA app",
    "CREATE TABLE app.customers (id int PRIMARY KEY, card text, tags int[])",
    "INSERT INTO app.customers SELECT g, '4111-' || g, ARRAY[g] FROM generate_series(1, 20000) g",
    "CREATE INDEX customers_card ON app.customers (card)",
    "CREATE INDEX customers_tags ON app.customers USING gin (tags)",
    "CREATE TABLE app.orders (id int REFERENCES app.customers, ref text)",
    "INSERT INTO app.orders SELECT 1 + g % 20000, 'r' || g FROM generate_series(1, 100000) g",
    "ANALYZE",
)
# Functions with their arguments, and the result of pg_catalog's. With the default path PostgreSQL prefers those that
# fit better than its own, with public in front also those that fit as well.
FUNCTIONS = {
    "quote_ident(name)": "pg_catalog.quote_ident($1::pg_catalog.text)",
    "quote_ident(text)": "pg_catalog.quote_ident($1)",
    "format(text, name)": "pg_catalog.format($1, $2)",
    "format(text, name, name)": "pg_catalog.format($1, $2, $3)",
    "format(text, oid, bigint)": "pg_catalog.format($1, $2, $3)",
    "format(text, text, integer)": "pg_catalog.format($1, $2, $3)",
    "format(text, integer)": "pg_catalog.format($1, $2)",
    "format(text, integer, name, text)": "pg_catalog.format($1, $2, $3, $4)",
    "format(text, text, text, text)": "pg_catalog.format($1, $2, $3, $4)",
    "format(text, name, name, text)": "pg_catalog.format($1, $2, $3, $4)",
    "lower(name)": "pg_catalog.lower($1::pg_catalog.text)",
    "starts_with(text, character varying)": "'true'",
    "set_config(character varying, character varying, boolean)": "pg_catalog.set_config($1, $2, $3)",
    "set_config(text, text, boolean)": "pg_catalog.set_config($1, $2, $3)",
    "current_setting(text)": "pg_catalog.current_setting($1)",
    "pg_get_indexdef(oid)": "pg_catalog.pg_get_indexdef($1)",
    "concat_ws(text, bigint, bigint, timestamptz, timestamptz)": "pg_catalog.concat_ws($1, $2, $3, $4, $5)",
}
MORE = (
    "CREATE FUNCTION public.pg_backend_pid() RETURNS integer LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE LOG 'caught by pg_backend_pid'; RETURN pg_catalog.pg_backend_pid(); END $$",
    "CREATE FUNCTION public.pg_terminate_backend(text) RETURNS boolean LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE LOG 'caught by pg_terminate_backend'; RETURN false; END $$",
    # One operator fits better than (name, text), and two fit as well as those of pg_catalog.
    "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = varchar, FUNCTION = public.same)",
    "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same)",
    "CREATE OPERATOR public.<> (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.other)",
    "CREATE DOMAIN public.regclass AS pg_catalog.regclass CHECK (public.caught(VALUE::pg_catalog.oid))",
    "CREATE DOMAIN public.oid AS pg_catalog.oid CHECK (public.caught(VALUE))",
    "CREATE VIEW public.pg_index AS SELECT i.* FROM pg_catalog.pg_index i WHERE public.caught(i.indexrelid)",
    "CREATE VIEW public.pg_settings AS SELECT s.* FROM pg_catalog.pg_settings s WHERE public.caught(1::pg_catalog.oid)",
    "CREATE FUNCTION public.to_jsonb(public.pg_stat_statements) RETURNS jsonb LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE LOG 'caught by to_jsonb'; RETURN pg_catalog.to_jsonb($1); END $$",
)


# These statements need an index; for the second one the server needs a cast.
WORKLOAD = (
    "SELECT * FROM app.orders WHERE ref = 'r77'",
    "SELECT json_build_object('a', ref) FROM app.orders WHERE ref = 'r78'",
    "SELECT * FROM app.customers WHERE card = '4111-77'",
)
# These have names of HypoPG's functions; Debian's version is too old to have some of them.
LIKE_HYPOPG = tuple(
    f"CREATE FUNCTION public.{function} RETURNS text LANGUAGE plpgsql AS"
    f" $$ BEGIN RAISE LOG 'caught by {function}'; RETURN ''; END $$"
    for function in (
        "hypopg_hide_index(oid)",
        "hypopg_hide_index(bigint)",
        "hypopg_unhide_all_indexes()",
        "hypopg_create_index(varchar)",
    )
)
# Functions of newer versions of HypoPG, imitated for a table with a single useful index.
HIDING = (
    "CREATE SCHEMA tools",
    "CREATE EXTENSION pg_stat_statements SCHEMA tools",
    "CREATE EXTENSION hypopg SCHEMA tools",
    "CREATE FUNCTION tools.hypopg_hide_index(oid) RETURNS text RETURN set_config('enable_indexscan', 'off', true)"
    " || set_config('enable_bitmapscan', 'off', true) || set_config('enable_indexonlyscan', 'off', true)",
    "CREATE FUNCTION tools.hypopg_unhide_all_indexes() RETURNS void RETURN NULL",
    "ALTER EXTENSION hypopg ADD FUNCTION tools.hypopg_hide_index(oid)",
    "ALTER EXTENSION hypopg ADD FUNCTION tools.hypopg_unhide_all_indexes()",
)


@dataclass
class Shop:
    """A database with traps, and the lines of the server's log that show which traps were called."""

    running: PostgresServer
    name: str

    def connections(self, most: int = 8) -> tuple[Database, Connections]:
        at = {"port": self.running.port, "tls": "off", "secret_arn": SECRET, "max_connections": most}
        database = Database("shop", "postgresql", "127.0.0.1", self.name, **at)  # type: ignore[arg-type]
        text = json.dumps({"username": SUPERUSER, "password": PASSWORD, "host": "127.0.0.1"})
        secrets: Any = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": text})
        return database, Connections(lambda: secrets, lambda: None, str)  # type: ignore[arg-type, return-value]

    def through_data_api(self) -> tuple[Database, Connections]:
        database = Database("shop", "postgresql", "cluster", self.name, secret_arn=SECRET, data_api_arn=ARN)
        twin: Any = DataApiTwin(self.running.connect)
        return database, Connections(lambda: None, lambda: None, str, data_api=lambda _once: twin)  # type: ignore[arg-type, return-value]

    def trap_calls(self) -> list[str]:
        log = (self.running.folder / "server.log").read_text(errors="replace")
        return [line for line in log[self.log_start :].splitlines() if "caught by" in line]

    def mark_log(self) -> None:
        self.log_start = len((self.running.folder / "server.log").read_text(errors="replace"))


@pytest.fixture
def shop(server: Callable[[Any], PostgresServer], installation: Any, path: str) -> Iterator[Shop]:
    running = server(installation)
    with ExitStack() as stack:
        name = stack.enter_context(running.database(*TABLES))
        with running.session(name) as session:
            if installation is postgresql.DEBIAN_15:
                # Extensions are created in the default schema.
                for extension in ("pg_stat_statements", "pgstattuple", "hypopg"):
                    session.run(f"CREATE EXTENSION {extension}")
                for statement in WORKLOAD:
                    for _ in range(40):
                        session.run(statement)
            _set_traps(session)
            if path:
                session.run(f'ALTER DATABASE "{name}" SET search_path = {path}')
        made = Shop(running, name)
        made.mark_log()
        yield made


def _set_traps(session: Any) -> None:
    body = "LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'caught by {0}'; RETURN {1}; END $$"
    made = [f"CREATE FUNCTION public.caught(oid) RETURNS boolean {body.format('a type or a view', 'true')}"]
    for name, kind in (("same", "name, varchar"), ("same", "name, name"), ("other", "oid, oid")):
        compared = "$1::pg_catalog.text OPERATOR(pg_catalog.{}) $2::pg_catalog.text".format(
            "=" if name == "same" else "<>"
        )
        made.append(f"CREATE FUNCTION public.{name}({kind}) RETURNS boolean {body.format('an operator', compared)}")
    for function, answer in FUNCTIONS.items():
        result = "boolean" if answer == "'true'" else "text"
        made.append(f"CREATE FUNCTION public.{function} RETURNS {result} {body.format(function, answer)}")
    # The domain comes last, because statements after it would use it.
    text = "CREATE DOMAIN public.text AS pg_catalog.text CHECK (public.caught(1::pg_catalog.oid))"
    for statement in (*made, *MORE, *LIKE_HYPOPG, text):
        if "pg_stat_statements" in statement and not _has_statements(session):
            continue
        session.run(statement)


def _has_statements(session: Any) -> bool:
    return bool(
        session.run("SELECT 1 FROM pg_catalog.pg_views WHERE schemaname = 'public' AND viewname = 'pg_stat_statements'")
    )


def change(definition: str = "") -> Change:
    return Change(
        run_id="run-1",
        tuner=Tuner.INDEXES,
        action="create_index",
        target="shop/app.customers.made",
        before={},
        after={"definition": definition},
        reason="Because.",
        undo={},
        risk=Risk.LOW,
    )


def query_for_a_change(server: DatabaseServer) -> None:
    """Run every query that the change of an index needs."""
    state = server.look("app", "customers", "customers_card", Job.DROP)
    table = server.look("app", "customers", "", Job.ANALYZE)
    assert state is not None
    assert table is not None
    server.conditions(state)
    server.leftovers(state, Job.REBUILD)
    server.times(state)
    assert server.missed(state, 1.5) == ""
    for session in ({"pid": 1, "since": "1", "statement": "ANALYZE app.customers"},):
        assert server.running(session) is None
        server.cancel(session)
    for job in (Job.ANALYZE, Job.VACUUM, Job.REBUILD, Job.DROP, Job.CLEAN_PENDING_LIST):
        assert ";" not in server.statement(job, change(), state)


@SERVERS
@PATHS
def test_traps_catch_an_ordinary_session(shop: Shop, path: str) -> None:
    """A session with the usual search path calls the functions in other schemas."""
    with shop.running.session(shop.name) as session:
        session.run("SELECT quote_ident(relname), format('%I.%I', relname, relname) FROM pg_catalog.pg_class LIMIT 1")
        session.run("SELECT FROM pg_catalog.pg_class WHERE relname = CAST('a' AS varchar)")
        session.run("SELECT 'pg_class'::regclass")
    kinds = {line.partition("caught by ")[2] for line in shop.trap_calls()}
    assert {"quote_ident(name)", "format(text, name, name)", "an operator"} <= kinds
    assert ("a type or a view" in kinds) == bool(path)


@SERVERS
@PATHS
def test_reading_nodes_avoids_the_traps(shop: Shop) -> None:
    database, pool = shop.connections()
    (catalog,) = read_nodes(database, pool)
    pool.forget(database)
    assert "plans" not in catalog.not_read, catalog.not_read
    assert {index.name for index in catalog.indexes} >= {"customers_card", "customers_tags"}
    assert not shop.trap_calls()


@SERVERS
@PATHS
def test_inspect_command_avoids_the_traps(shop: Shop) -> None:
    url = shop.running.dsn(shop.name)
    answer = CliRunner().invoke(command, ["--url", url, "--tls", "off", "--json"])
    assert answer.exit_code == 0, answer.output
    assert not shop.trap_calls()


@SERVERS
@PATHS
def test_queries_for_a_change_avoid_the_traps(shop: Shop) -> None:
    database, pool = shop.connections()
    query_for_a_change(server_for(database, pool))
    pool.forget(database)
    assert not shop.trap_calls()


@SERVERS
@PATHS
def test_statements_of_a_change_avoid_the_traps(shop: Shop) -> None:
    database, pool = shop.connections()
    server = server_for(database, pool)
    definition = "CREATE INDEX made ON app.customers USING btree (lower(card))"
    for job, index in (
        (Job.ANALYZE, ""),
        (Job.VACUUM, ""),
        (Job.CLEAN_PENDING_LIST, "customers_tags"),
        (Job.CREATE, ""),
        (Job.REBUILD, "made"),
        (Job.DROP, "made"),
    ):
        worker = server.worker(3000)
        try:
            state = server.look("app", "customers", index, job)
            assert worker.send(server.statement(job, change(definition), state), 30.0)
        finally:
            worker.close()
    pool.forget(database)
    assert not shop.trap_calls()


BEHIND = "CREATE TABLE public.owned AS SELECT current_user AS who"


@SERVERS
@pytest.mark.parametrize("path", [""], ids=["default path"])
@pytest.mark.parametrize("begins", ["ANALYZE app.customers", "SELECT 1 AS one", "VACUUM app.customers"])
def test_text_with_two_statements_runs_none(shop: Shop, begins: str) -> None:
    """This protects against a composed text that ever contains a second statement."""
    database, pool = shop.connections()
    server = server_for(database, pool)
    worker = server.worker(3000)
    try:
        with pytest.raises(StatementFailed, match="multiple commands"):
            worker.send(f"{begins}; {BEHIND}", 10.0)
    finally:
        worker.close()
    with pytest.raises(DatabaseError, match="multiple commands"):
        drivers.rows(pool.get(database), f"{begins}; {BEHIND}")
    pool.forget(database)
    with shop.running.session(shop.name) as session:
        assert session.run("SELECT to_regclass('public.owned') IS NULL") == [[True]]


@SERVERS
@PATHS
def test_counting_connections_avoids_the_traps(shop: Shop) -> None:
    database, pool = shop.connections(most=1)
    first = pool.open(database)
    with pytest.raises(TooManyConnections):
        pool.open(database)
    drivers.close(first)
    assert not shop.trap_calls()


@SERVERS
@PATHS
def test_data_api_avoids_the_traps(shop: Shop) -> None:
    database, pool = shop.through_data_api()
    (catalog,) = read_nodes(database, pool)
    assert {index.name for index in catalog.indexes} >= {"customers_card", "customers_tags"}
    query_for_a_change(server_for(database, pool))
    assert not shop.trap_calls()


@pytest.mark.parametrize("installation", [postgresql.DEBIAN_15], ids=["HypoPG"])
@PATHS
@pytest.mark.parametrize("way", ["connection", "Data API"])
def test_plan_without_an_index_avoids_the_traps(
    server: Callable[[Any], PostgresServer], installation: Any, path: str, way: str
) -> None:
    running = server(installation)
    with running.database(*TABLES, *HIDING, *WORKLOAD) as name:
        made = Shop(running, name)
        with running.session(name) as session:
            _set_traps(session)
            if path:
                session.run(f'ALTER DATABASE "{name}" SET search_path = {path}')
        database, pool = made.connections() if way == "connection" else made.through_data_api()
        acting = server_for(database, pool)
        state = acting.look("app", "customers", "customers_card", Job.DROP)
        assert state is not None
        made.mark_log()
        assert "times as much" in acting.missed(state, 1.5)
        assert not made.trap_calls()
        pool.forget(database)
