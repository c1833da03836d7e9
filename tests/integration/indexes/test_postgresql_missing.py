"""Test the missing indexes that are proposed for statements, with real planners."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest
from local_account.servers import Installation, postgresql
from local_account.servers.postgresql import PostgresServer
from optimizer.indexes.model.catalog import Catalog, StatementStat
from optimizer.indexes.model.finding import Action, Finding
from optimizer.indexes.postgresql.key_length import find_long_columns
from optimizer.indexes.postgresql.look import count_reasons, look
from optimizer.indexes.postgresql.missing import PostgresqlMissingLimits, find_missing_indexes
from optimizer.indexes.postgresql.reader import read_catalog, read_only_snapshot, read_roles
from pg8000.exceptions import DatabaseError
from pg8000.native import Connection, identifier

MAKE = (
    'CREATE TABLE "Orders" (id int PRIMARY KEY, "Customer" int, state text, at timestamptz, email varchar(40), n int, '
    "kind int, ref int)",
    """INSERT INTO "Orders" SELECT g, g % 3000, CASE WHEN g % 100 = 0 THEN 'open' ELSE 'done' END,
       now() - g * interval '1 minute', 'u' || g % 4000 || '@x.org', g % 2, g % 20, g % 7001
       FROM generate_series(1, 30000) g""",
    'CREATE INDEX orders_kind ON "Orders" (kind)',
    "CREATE TABLE customers (id int PRIMARY KEY, name text)",
    "INSERT INTO customers SELECT g, 'n' || g FROM generate_series(1, 5000) g",
    "CREATE TABLE small (a int)",
    "INSERT INTO small SELECT generate_series(1, 100)",
    "ANALYZE",
)
STATEMENTS = {
    'SELECT * FROM "Orders" WHERE "Customer" = $1': ("Customer",),
    'SELECT * FROM "Orders" o WHERE o.email = $1 AND o.at > $2': ("email",),
    "SELECT * FROM \"Orders\" WHERE state = 'open' ORDER BY at DESC LIMIT 10": ("state", "at"),
    'UPDATE "Orders" SET n = $1 WHERE "Customer" = $2 AND n = $3': ("Customer",),
    'SELECT * FROM "Orders" WHERE id = $1': None,
    'SELECT count(*) FROM "Orders"': None,
    "SELECT * FROM \"Orders\" WHERE email LIKE $1 OR state = $2": None,
    "SELECT * FROM small WHERE a = $1": None,
    # These are texts from pg_stat_statements; the server accepts none of them without changes.
    'SELECT extract($1 FROM at) FROM "Orders" WHERE email = $2 AND at > now() - interval $3': ("email",),
    "SELECT json_build_object($1, o.id, $2, $3) FROM \"Orders\" o WHERE email = $4": ("email",),
    "/* a */ -- b\nSELECT * FROM \"Orders\" WHERE at < timestamp with time zone $1 AND email = $2": ("email",),
    "SELECT $1 FROM gone WHERE a = $2": None,
    'SELECT * FROM "Orders" WHERE n = $1': None,
    # The planner walks the primary key and filters, which reads most of the table.
    'SELECT * FROM "Orders" WHERE "Customer" = $1 ORDER BY id LIMIT $2': ("Customer",),
    'SELECT * FROM "Orders" WHERE "Customer" = $1 ORDER BY id DESC OFFSET $2 FETCH FIRST $3 ROWS ONLY': ("Customer",),
    # The filter removes nearly all of what the index on kind finds.
    'SELECT * FROM "Orders" WHERE kind = $1 AND ref = $2': ("kind", "ref"),
    'SELECT * FROM "Orders" WHERE kind = $1 AND "Customer" = $2 AND state = $3': ("kind", "Customer"),
    # An index on the column does not serve a cast of it.
    'SELECT count(*) FROM "Orders" WHERE at::date = $1': None,
    'SELECT count(*) FROM "Orders" WHERE n::text = $1': None,
    "SELECT * FROM gone WHERE a = $1": None,
    "SELECT 1; DROP TABLE small": None,
}  # fmt: skip


@pytest.fixture(scope="module", params=postgresql.INSTALLATIONS, ids=lambda known: known.name)
def session(request: pytest.FixtureRequest) -> Iterator[Connection]:
    installation = cast(Installation[PostgresServer], request.param)
    running = request.getfixturevalue("server")(installation)
    with running.database(*MAKE) as name, running.session(name) as connection:
        if installation is postgresql.DEBIAN_15:
            connection.run('CREATE SCHEMA "Tools Ü"')
            for extension in ("hypopg", "pg_stat_statements"):
                connection.run(f'CREATE EXTENSION {extension} SCHEMA "Tools Ü"')
        yield connection


@pytest.mark.parametrize("text", STATEMENTS)
def test_statement_gets_the_index_it_needs_or_none(session: Connection, text: str) -> None:
    catalog = _with(read_catalog(session), text)
    findings, failed = find_missing_indexes(session, catalog)
    proves = "hypopg" in catalog.server.extensions
    if not proves and text == 'SELECT * FROM "Orders" WHERE n = $1':
        assert [finding.action for finding in findings] == [Action.ASK]
        return
    wants = STATEMENTS[text]
    assert len(findings) == (wants is not None)
    assert bool(failed) == ("gone" in text or ";" in text)
    for finding in findings:
        assert wants is not None
        assert tuple(finding.evidence["columns"])[: len(wants)] == wants
        assert finding.action is (Action.CREATE if proves else Action.ASK)
        _serves(session, finding, text, proves=proves)
    assert session.run("SELECT count(*) FROM small") == [[100]]
    assert session.run("SELECT count(*) FROM pg_prepared_statements") == [[0]]


def test_one_wider_index_is_proposed_for_several_statements(session: Connection) -> None:
    catalog = _with(read_catalog(session), *list(STATEMENTS)[:3], 'SELECT at FROM "Orders" WHERE "Customer" = $1')
    findings, _ = find_missing_indexes(session, catalog)
    columns = [tuple(finding.evidence["columns"]) for finding in findings]
    assert not any(one != other and other[: len(one)] == one for one in columns for other in columns)


ORDERS = {
    "n, at DESC": "n, at DESC",
    "n DESC, at": "n, at DESC",
    "n DESC, at DESC": "n, at",
    "n NULLS FIRST, at": "n NULLS FIRST, at",
    "n DESC NULLS LAST, at": "n NULLS FIRST, at DESC",
}


@pytest.mark.parametrize("order", ORDERS)
def test_index_has_the_directions_of_the_sort_keys(session: Connection, order: str) -> None:
    text = f'SELECT * FROM "Orders" ORDER BY {order} LIMIT 10'  # noqa: S608 - constants of this test
    findings, _ = find_missing_indexes(session, _with(read_catalog(session), text))
    (finding,) = findings
    assert finding.statement == f'CREATE INDEX CONCURRENTLY ON public."Orders" ({ORDERS[order]})'
    session.run(finding.statement)
    (plan,) = session.run(f"EXPLAIN (FORMAT JSON) {text}")
    assert "Sort" not in json.dumps(plan)
    assert find_missing_indexes(session, _with(read_catalog(session), text)) == ([], {})
    session.run(f'DROP INDEX "Orders_{"_".join(finding.evidence["columns"])}_idx"')


LONG = """INSERT INTO {} SELECT g, 'https://example.org/' || CASE WHEN g % 2000 = 0
  THEN (SELECT string_agg(md5((g * k)::text), '') FROM generate_series(1, 300) k) ELSE md5(g::text) END, 'k' || g % 5000
  FROM generate_series(1, 20000) g"""
# The columns of a table, the compared column, and whether the build of its index can fail.
LENGTHS = {
    "values too long for an entry": ("id int, url text, k text", "url", True),
    "values moved away are in another column": ("id int, url text, k varchar(600)", "k", False),
    "as long as an entry at most": ("id int, url text, k varchar(671)", "k", False),
    "longer than an entry": ("id int, url text, k varchar(672)", "k", True),
    "kept in the row": ("id int, url text, k text STORAGE MAIN", "k", True),
}


@pytest.mark.parametrize("length", LENGTHS)
def test_index_that_may_not_be_built_is_asked_about(session: Connection, length: str) -> None:
    columns, column, is_asked = LENGTHS[length]
    columns, _, storage = columns.partition(" STORAGE ")
    session.run(f"CREATE TABLE pages ({columns})")
    if storage:
        session.run(f"ALTER TABLE pages ALTER k SET STORAGE {storage}, ALTER url SET STORAGE {storage}")
    session.run(LONG.format("pages"))
    if "(671)" in columns:
        # Four bytes each, and not compressed in the index either.
        session.run("ALTER TABLE pages ALTER k SET STORAGE EXTERNAL")
        session.run("INSERT INTO pages VALUES (0, '', repeat(chr(128512), 671))")
    session.run("ANALYZE pages")
    try:
        catalog = _with(read_catalog(session), f"SELECT * FROM pages WHERE {column} = $1")  # noqa: S608 - constants
        ((finding,), _) = find_missing_indexes(session, catalog)
        assert finding.evidence["long_columns"] == ([column] if is_asked else [])
        assert ("fails at a longer value" in finding.reason) is is_asked
        proves = "hypopg" in catalog.server.extensions
        assert finding.action is (Action.CREATE if proves and not is_asked else Action.ASK)
        assert finding.statement is not None
        if column == "url":
            with pytest.raises(DatabaseError, match="54000"):
                session.run(finding.statement)
            session.run("CREATE INDEX ON pages USING hash (url)")
        else:
            session.run(finding.statement)
    finally:
        session.run("DROP TABLE pages")


def test_text_in_a_table_without_moved_values_is_indexed(session: Connection) -> None:
    """The rows are shorter than a quarter of a page, so every value fits into an entry."""
    catalog = _with(read_catalog(session), 'SELECT * FROM "Orders" WHERE state = $1')
    orders = next(table for table in catalog.tables if table.name == "Orders")
    assert orders.toast_bytes == 0
    assert find_long_columns(catalog, orders, ["state", "email"]) == []
    assert find_long_columns(catalog, replace(orders, toast_bytes=8192), ["state", "email"]) == ["state"]


# A statement, its search path, whether that is known, and the schema of the index with the other schemas that may be.
PLACES = {
    "path of the role": ("SELECT * FROM twice WHERE a = $1", "shop, public", True, "shop", []),
    "path not known": ("SELECT * FROM twice WHERE a = $1", "public", False, "public", ["shop"]),
    "qualified": ("SELECT * FROM shop.twice t WHERE t.a = $1", "public", False, "shop", []),
    "qualified column": ("SELECT twice.b FROM shop . twice WHERE twice.a = $1", "public", False, "shop", []),
    "one place": ("SELECT * FROM only_here WHERE a = $1", "shop", False, "shop", []),
}


@pytest.mark.parametrize("place", PLACES)
def test_index_is_proposed_where_the_statement_looks(session: Connection, place: str) -> None:
    text, path, is_known, schema, others = PLACES[place]
    tables = ("public.twice", "shop.twice", "shop.only_here")
    session.run("CREATE SCHEMA shop")
    for table in tables:
        session.run(f"CREATE TABLE {table} (a int, b int)")
        session.run(f"INSERT INTO {table} SELECT g % 5000, g FROM generate_series(1, 20000) g")  # noqa: S608 - constants
    session.run("ANALYZE public.twice, shop.twice, shop.only_here")
    try:
        catalog = _with(read_catalog(session), text)
        (statement,) = catalog.statements
        statement = replace(statement, search_path=path, is_path_known=is_known)
        (finding,), failed = find_missing_indexes(session, replace(catalog, statements=(statement,)))
        assert failed == {}
        assert (finding.schema, finding.evidence["other_places"]) == (schema, others)
        assert ("shop has a table twice too" in finding.reason) is bool(others)
        proves = "hypopg" in catalog.server.extensions
        assert finding.action is (Action.CREATE if proves and not others else Action.ASK)
    finally:
        session.run("DROP TABLE public.twice")
        session.run("DROP SCHEMA shop CASCADE")


def test_search_path_is_that_of_the_role(session: Connection) -> None:
    """The path of a role in this database comes before the role's own, and this before that of the database."""
    database = identifier(session.run("SELECT current_database()")[0][0])
    role = identifier("the $user")

    def path() -> tuple[str, bool]:
        (oid,) = session.run("SELECT oid::bigint FROM pg_roles WHERE rolname = 'the $user'")[0]
        with read_only_snapshot(session, 10):
            row = read_roles(session, [oid])[oid]
        return row["search_path"], row["is_path_known"]

    session.run(f"CREATE ROLE {role}")
    try:
        assert path() == ('"the $user", public', False)
        session.run(f"ALTER DATABASE {database} SET search_path = a")
        assert path() == ("a", True)
        session.run(f"ALTER ROLE {role} SET search_path = '$user', \"B c\"")
        assert path() == ('"the $user", "B c"', True)
        session.run(f"ALTER ROLE {role} IN DATABASE {database} SET search_path = d")
        assert path() == ("d", True)
    finally:
        session.run(f"ALTER DATABASE {database} RESET search_path")
        session.run(f"DROP ROLE {role}")


def test_statements_are_read_with_their_load(session: Connection) -> None:
    if "pg_stat_statements" not in read_catalog(session).server.extensions:
        pytest.skip("this server has no pg_stat_statements")
    session.run('SELECT "Tools Ü".pg_stat_statements_reset()')
    for customer in range(30):
        session.run('SELECT count(state) FROM "Orders" WHERE "Customer" = :customer', customer=customer)
    catalog = read_catalog(session)
    (statement,) = [one for one in catalog.statements if '"Customer" = $1' in (one.text or "")]
    assert (statement.calls, statement.rows) == (30, 30)
    assert statement.mean_ms == pytest.approx(statement.total_ms / 30, rel=0.01)
    # The duration of a call depends on the machine and must not decide if the statement is planned.
    findings, _ = find_missing_indexes(session, catalog, PostgresqlMissingLimits(least_mean_ms=0.0))
    assert [tuple(finding.evidence["columns"]) for finding in findings] == [("Customer",)]


def test_statements_of_the_optimizer_can_be_planned(session: Connection) -> None:
    """The server counts these statements too; on an idle server they are among those with the most time."""
    if "pg_stat_statements" not in read_catalog(session).server.extensions:
        pytest.skip("this server has no pg_stat_statements")
    look(session)
    catalog = read_catalog(session)
    assert len(catalog.statements) > 20
    every = PostgresqlMissingLimits(statements=10_000, least_share=0.0, least_calls=0, least_mean_ms=0.0)
    assert find_missing_indexes(session, catalog, every)[1] == {}


def test_each_reason_not_to_plan_is_told_once() -> None:
    told = count_reasons({"a": "SQLSTATE 42803", "b": "SQLSTATE 42P01", "c": "SQLSTATE 42803"})
    assert told == "2 statements (such as a): SQLSTATE 42803; 1 statement (such as b): SQLSTATE 42P01"


def _with(catalog: Catalog, *texts: str) -> Catalog:
    stats = tuple(StatementStat(f"k{at}", text, 1000, 1e6, 1000.0, 1, is_trusted=True) for at, text in enumerate(texts))
    return replace(catalog, statements=stats)


def _serves(session: Connection, finding: Finding, text: str, *, proves: bool) -> None:
    """Run the proposed statement and tell whether the planner then uses the index."""
    assert finding.statement is not None
    session.run(finding.statement)
    made = read_catalog(session)
    if proves:
        assert find_missing_indexes(session, _with(made, text)) == ([], {})
    for index in made.indexes:
        if not index.is_unique and index.name != "orders_kind":
            session.run(f"DROP INDEX {identifier(index.name)}")
