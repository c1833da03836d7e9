"""Test that looking at a database neither runs code of roles that are not trusted nor repeats what such code says.

The planner evaluates IMMUTABLE functions. The one of this test reads a card number that only the owner of the tables
and the optimizer may read, writes a line into the server's log, and raises what it read.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner
from local_account.servers import postgresql
from local_account.servers.postgresql import PASSWORD, SUPERUSER, PostgresServer
from optimizer.indexes.change.hypothetical import missed
from optimizer.indexes.model.catalog import Catalog, CatalogServer, StatementStat
from optimizer.indexes.postgresql.look import look
from optimizer.indexes.postgresql.missing import describe_untrusted
from optimizer.indexes.postgresql.reader import read_catalog, read_only_snapshot, read_roles
from optimizer_cli.inspections.indexes import command
from pg8000.native import Connection, identifier

SERVERS = pytest.mark.parametrize("installation", postgresql.INSTALLATIONS, ids=lambda known: known.name)
OWNER, OPTIMIZER, SHOWN = "code_owner", "code_optimizer", "4111-0000-4242"
# A name that would leave its quotes, and colour the terminal.
PLAIN = 'pl"ai\\n\x1b[31m\n'
PLAIN_QUOTED = 'U&"pl""ai\\\\n\\+00001b[31m\\+00000a"'
TABLES = (
    "GRANT CREATE ON SCHEMA public TO PUBLIC",
    f"CREATE SCHEMA app AUTHORIZATION {OWNER}",
    "CREATE TABLE app.customers (id int PRIMARY KEY, card text)",
    "INSERT INTO app.customers SELECT g, '4111-0000-' || g FROM generate_series(1, 20000) g",
    "CREATE INDEX customers_card ON app.customers (card)",
    f"ALTER TABLE app.customers OWNER TO {OWNER}",
    "CREATE TABLE public.told (a int, b text)",
    "INSERT INTO public.told SELECT g, g::text FROM generate_series(1, 2000) g",
    "GRANT ALL ON public.told TO PUBLIC",
    "ANALYZE",
)
EXTENSIONS = ("CREATE EXTENSION pg_stat_statements", "CREATE EXTENSION hypopg")
RAISES = {
    "message": "RAISE EXCEPTION 'told: %', c",
    "detail": "RAISE EXCEPTION 'told' USING DETAIL = c",
    "hint": "RAISE EXCEPTION 'told' USING HINT = c, ERRCODE = '22012'",
    "names": "RAISE EXCEPTION 'told' USING CONSTRAINT = c, TABLE = c, COLUMN = c, MESSAGE = c",
    "cast": "PERFORM c::int",
    "notice": "RAISE WARNING 'told: %', c",
}
# What a role makes beside the function `peek`, and the condition of its statement.
WAYS = {
    "function": ((), "b <> public.peek()"),
    "function in a function": (
        ("CREATE FUNCTION public.outer_one() RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT public.peek()'",),
        "b <> public.outer_one()",
    ),
    "operator": (
        (
            "CREATE FUNCTION public.same(float8, float8) RETURNS boolean IMMUTABLE LANGUAGE sql"
            " AS $$ SELECT public.peek() <> 'y' $$",
            "CREATE OPERATOR public.### (LEFTARG = float8, RIGHTARG = float8, FUNCTION = public.same)",
        ),
        "pg_catalog.pi() OPERATOR(public.###) pg_catalog.pi()",
    ),
    "domain": (
        (
            "CREATE DOMAIN public.checked AS text CHECK (VALUE <> public.peek())",
            "CREATE FUNCTION public.through() RETURNS public.checked IMMUTABLE LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN 'y'; END $$",
        ),
        "b <> public.through()",
    ),
    "CHECK constraint": (
        ("CREATE TABLE public.child (CHECK (b <> public.peek() OR a > 0)) INHERITS (public.told)",),
        "a < 0",
    ),
    "index": (("CREATE INDEX told_index ON public.told (a) WHERE b <> public.peek()",), "a < 0"),
}


@dataclass
class Shop:
    """A database, the roles around it, and the lines that the function wrote into the server's log."""

    running: PostgresServer
    name: str

    def session(self, user: str = SUPERUSER) -> Any:
        return self.running.session(self.name, user)

    def run(self, *statements: str, user: str = SUPERUSER) -> None:
        with self.session() as session:
            session.run("SET application_name = 'attacker'")
            session.run(f"SET ROLE {identifier(user)}")
            for statement in statements:
                session.run(statement)

    def attack(self, user: str, way: str, says: str = RAISES["message"], reads: str = "") -> None:
        """Let a role make the function, and leave a statement in pg_stat_statements that names it."""
        makes, condition = WAYS[way]
        self.run(f"ALTER TABLE public.told OWNER TO {identifier(user)}")
        reads = reads or "SELECT card INTO c FROM app.customers WHERE id = 4242"
        self.run(
            f"""CREATE FUNCTION public.peek() RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
            DECLARE c text;
            BEGIN
              IF current_setting('application_name') = 'attacker' THEN RETURN 'x'; END IF;
              RAISE LOG 'caught by peek';
              {reads};
              {says};
              RETURN 'x';
            END $$""",
            *makes,
            user=user,
        )
        self.run("ANALYZE public.told", "SELECT pg_stat_statements_reset()")
        statement = f"SELECT count(*), pg_sleep(0.002) FROM public.told WHERE {condition}"  # noqa: S608 - ours
        self.run(*([statement] * 40), user=user)
        self.log_start = len(self._log())

    def look(self, user: str = OPTIMIZER) -> Catalog:
        with self.session(user) as session:
            return look(session)

    def caught(self) -> bool:
        return "caught by peek" in self._log()[self.log_start :]

    def _log(self) -> str:
        return (self.running.folder / "server.log").read_text(errors="replace")


@pytest.fixture
def shop(server: Callable[[Any], PostgresServer], installation: Any) -> Iterator[Shop]:
    running = server(installation)
    with running.session() as admin, ExitStack() as stack:
        roles = (OWNER, OPTIMIZER, PLAIN)
        for role in reversed(roles):
            stack.callback(admin.run, f"DROP ROLE IF EXISTS {identifier(role)}")
        for role in roles:
            admin.run(f"CREATE ROLE {identifier(role)} LOGIN PASSWORD '{PASSWORD}'")
        admin.run(f"GRANT pg_monitor, {OWNER} TO {OPTIMIZER}")
        extensions = EXTENSIONS if installation is postgresql.DEBIAN_15 else ()
        yield Shop(running, stack.enter_context(running.database(*extensions, *TABLES)))


DEBIAN = pytest.mark.parametrize("installation", [postgresql.DEBIAN_15], ids=["pg_stat_statements"])


@DEBIAN
@pytest.mark.parametrize("way", WAYS)
def test_code_of_others_does_not_run(shop: Shop, way: str) -> None:
    shop.attack(PLAIN, way)
    catalog = shop.look()
    assert not shop.caught()
    assert SHOWN not in str(catalog)
    assert "plans" not in catalog.not_read
    line = catalog.not_read["plans_of_other_roles"]
    assert f"not planned: 1 of {PLAIN_QUOTED};" in line
    assert "GRANT role TO optimizer" in line
    assert line.isprintable()


@DEBIAN
def test_the_function_runs_if_its_role_is_granted(shop: Shop) -> None:
    """The trap is real, and GRANT does what the line says."""
    shop.attack(PLAIN, "function")
    shop.run(f"GRANT {identifier(PLAIN)} TO {OPTIMIZER}")
    catalog = shop.look()
    assert shop.caught()
    assert "plans_of_other_roles" not in catalog.not_read
    assert catalog.not_read["plans"].endswith(": SQLSTATE P0001")


@DEBIAN
@pytest.mark.parametrize("says", RAISES)
def test_failed_plan_tells_only_its_code(shop: Shop, says: str) -> None:
    shop.attack(PLAIN, "function", RAISES[says])
    shop.run(f"GRANT {identifier(PLAIN)} TO {OPTIMIZER}")
    url = shop.running.dsn(shop.name, OPTIMIZER)
    printed = [CliRunner().invoke(command, ["--url", url, "--tls", "off", *more]) for more in ([], ["--json"])]
    assert shop.caught()
    for answer in printed:
        assert answer.exit_code in (0, 1), answer.output
        assert SHOWN not in answer.output
        assert "told:" not in answer.output
        assert ("SQLSTATE" in answer.output) == (says != "notice")


@DEBIAN
def test_inspect_command_names_the_role_and_no_secret(shop: Shop) -> None:
    shop.attack(PLAIN, "function")
    url = shop.running.dsn(shop.name, OPTIMIZER)
    answer = CliRunner().invoke(command, ["--url", url, "--tls", "off"])
    assert not shop.caught()
    text = " ".join(answer.output.split())
    assert "plans of other roles' statements" in text
    assert "GRANT role TO optimizer" in text
    assert "\x1b" not in answer.output
    assert SHOWN not in answer.output


@DEBIAN
def test_monitoring_alone_hides_queries_of_other_sessions(shop: Shop) -> None:
    shop.run(f"REVOKE {OWNER} FROM {OPTIMIZER}")
    reads = (
        "c := (SELECT left(query, 40) FROM pg_stat_activity"
        " WHERE query LIKE '%hush%' AND pid <> pg_backend_pid() LIMIT 1)"
    )
    shop.attack(PLAIN, "function", reads=reads)
    with shop.session() as other:
        other.run("SELECT 'hush: a password'")
        catalog = shop.look()
    assert not shop.caught()
    assert "hush: a password" not in str(catalog.not_read)
    assert PLAIN_QUOTED in catalog.not_read["plans_of_other_roles"]


@DEBIAN
def test_roles_of_the_server_are_not_trusted_though_granted(shop: Shop) -> None:
    """Whoever has pg_monitor too can run statements as pg_monitor."""
    shop.run(f"GRANT pg_monitor TO {identifier(PLAIN)}")
    shop.attack(PLAIN, "function")
    shop.run("SELECT pg_stat_statements_reset()")
    with shop.session() as session:
        session.run("SET application_name = 'attacker'")
        session.run(f"SET SESSION AUTHORIZATION {identifier(PLAIN)}")
        session.run("SET ROLE pg_monitor")
        for _ in range(40):
            session.run("SELECT count(*), pg_sleep(0.002) FROM public.told WHERE b <> public.peek()")
    catalog = shop.look()
    assert not shop.caught()
    assert SHOWN not in str(catalog.not_read)
    assert '1 of "pg_monitor";' in catalog.not_read["plans_of_other_roles"]


@DEBIAN
def test_superuser_plans_no_statement_of_others(shop: Shop) -> None:
    shop.attack(PLAIN, "function")
    catalog = shop.look(SUPERUSER)
    assert not shop.caught()
    assert SHOWN not in str(catalog)
    assert PLAIN_QUOTED in catalog.not_read["plans_of_other_roles"]


@DEBIAN
def test_statements_of_the_owner_still_get_their_index(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE app.orders (id int, ref text)",
        "INSERT INTO app.orders SELECT g, 'r' || g FROM generate_series(1, 60000) g",
        "ANALYZE app.orders",
        user=OWNER,
    )
    shop.run("SELECT pg_stat_statements_reset()")
    shop.run(*(["SELECT id, pg_sleep(0.002) FROM app.orders WHERE ref = 'r77'"] * 40), user=OWNER)
    # The role's path decides which table is read: another one has the same name.
    shop.run("CREATE TABLE public.orders AS SELECT * FROM app.orders", "ANALYZE public.orders")
    shop.run(f"ALTER ROLE {OWNER} SET search_path = app")
    called = ["SELECT id, pg_sleep(0.002) FROM orders WHERE ref = 'r77'"] * 40
    shop.run("SET search_path = app", *called, user=OWNER)
    catalog = shop.look()
    shop.run(f"ALTER ROLE {OWNER} RESET search_path")
    assert [(found.table, found.evidence["columns"]) for found in catalog.further] == [("orders", ["ref"])]
    assert not {"plans", "plans_of_other_roles"} & catalog.not_read.keys()


@DEBIAN
def test_drop_plans_no_statement_of_others(shop: Shop) -> None:
    """HypoPG's functions of newer versions are imitated."""
    shop.run(
        "CREATE FUNCTION hypopg_hide_index(oid) RETURNS text RETURN set_config('enable_indexscan', 'off', true)"
        " || set_config('enable_bitmapscan', 'off', true) || set_config('enable_indexonlyscan', 'off', true)",
        "CREATE FUNCTION hypopg_unhide_all_indexes() RETURNS void RETURN NULL",
        "ALTER EXTENSION hypopg ADD FUNCTION hypopg_hide_index(oid)",
        "ALTER EXTENSION hypopg ADD FUNCTION hypopg_unhide_all_indexes()",
    )
    shop.attack(PLAIN, "function")
    oids = "SELECT r.rolname, r.oid::bigint FROM pg_roles r WHERE r.rolname = ANY (CAST(:names AS text[]))"
    with shop.session(OPTIMIZER) as session:
        session.run("SET search_path = pg_catalog, public")
        roles = dict(session.run(oids, names=[PLAIN, OWNER]))
        (index,) = session.run("SELECT 'app.customers_card'::regclass::oid::bigint")[0]
        attack = "SELECT 1 FROM app.customers WHERE card = $1 AND card <> public.peek()"
        useful = "SELECT 1 FROM app.customers WHERE card = $1"
        assert (
            missed(session, index, {f"{roles[PLAIN]}/1": attack, f"{roles[PLAIN]}/2": useful, "1/3": attack}, 1.5) == ""
        )
        assert not shop.caught()
        found = missed(session, index, {f"{roles[OWNER]}/1": attack, f"{roles[OWNER]}/2": useful}, 1.5)
    assert shop.caught()
    assert useful in found
    assert SHOWN not in found


@SERVERS
def test_only_roles_that_were_granted_are_trusted(shop: Shop) -> None:
    def trusted(session: Connection) -> set[str]:
        session.run("SET search_path = pg_catalog, pg_temp")
        oids = [row[0] for row in session.run("SELECT r.oid::bigint FROM pg_roles r")]
        with read_only_snapshot(session, 10):
            roles = read_roles(session, [*oids, 4_000_000_000])
        assert roles.keys() == set(oids)
        return {str(row["name"]) for row in roles.values() if row["is_trusted"]}

    with shop.session(OPTIMIZER) as session:
        assert trusted(session) == {OPTIMIZER, OWNER}
        shop.run(f"GRANT {identifier(PLAIN)} TO {OWNER}")
        assert trusted(session) == {OPTIMIZER, OWNER, PLAIN}
    with shop.session() as session:
        # The driver refuses to log in with such a name.
        session.run(f"SET SESSION AUTHORIZATION {identifier(PLAIN)}")
        assert trusted(session) == {PLAIN}
    with shop.session() as session:
        assert trusted(session) == {SUPERUSER}
        # A function can reset the role, so a superuser behind another role is a superuser.
        session.run(f"SET ROLE {OPTIMIZER}")
        assert trusted(session) == {OPTIMIZER}


@DEBIAN
def test_line_names_few_roles_with_numbers(shop: Shop) -> None:
    with shop.session() as session:
        server: CatalogServer = read_catalog(session).server
    counts = {"app": 3, 'a"b': 2, "a\nb\u202e": 2, "e\\": 1, "f": 1, "g": 1, "h": 1}
    statements = [
        StatementStat(f"{role}{at}", "SELECT 1", 100, 1e6, 1e4, 1, role=role)
        for role, number in counts.items()
        for at in range(number)
    ]
    line = describe_untrusted(Catalog(server, statements=(*statements, StatementStat("k", "SELECT 1", 1, 1.0, 1.0, 1))))
    quoted = (
        '3 of "app"',
        '2 of "a""b"',
        '2 of U&"a\\+00000ab\\+00202e"',
        '1 of "e\\"',
        '1 of "f"',
        "2 of other roles",
    )
    assert f"not planned: {', '.join(quoted)};" in line
    assert line.isprintable()
    dropped = describe_untrusted(Catalog(server, statements=(StatementStat("k", "SELECT 1", 100, 1e6, 1e4, 1),)))
    assert "1 of a dropped role" in dropped
    assert describe_untrusted(Catalog(server)) == ""
