"""Test that the definition of an index is read and written back as it was, whatever names and comments it holds.

Real servers make generated indexes; the tuner reads each, drops it, creates it again with what a drop records, and
reads the same definition.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings, strategies as st
from local_account.servers import HOST, mariadb, mysql, postgresql
from local_account.servers.mysql_family import quoted
from optimizer.core.change import Change, Risk, Tuner
from optimizer.indexes.change import server_for
from optimizer.indexes.change.server import DatabaseServer, Job, State
from optimizer.policy.model import Database
from pg8000.exceptions import DatabaseError
from pg8000.native import identifier
from pymysql import MySQLError

SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
# Names and comments that look like definitions, and any other text that the servers accept.
TRAPS = st.sampled_from(
    [
        "a\nKEY `i` (`z`),",
        "x` (`id`), RENAME TO `owned` #",
        "'; --",
        'q" ON s.t',
        "IGNORED",
        "/*!80000 INVISIBLE */",
        "\\",
    ]
)
# MySQL's names hold no character beyond the basic plane, none of them NUL or a surrogate, and end in no space.
TEXT = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF, exclude_characters="\0"), min_size=1)
NAMES = (TRAPS | TEXT).map(lambda name: name[:20].rstrip() or "n")
ENGINES = pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.PLAIN], ids=["MySQL", "MariaDB"])


def reading(database: Database, connect: Callable[[], Any]) -> DatabaseServer:
    pool: Any = SimpleNamespace(get=lambda *_: connect(), open=lambda *_: connect())
    return server_for(database, pool)


@pytest.fixture
def place(server: Any, installation: Any) -> Iterator[tuple[Any, str]]:
    """Return a server and a new database on it, for all examples of a test."""
    running = server(installation)
    with running.database() as name:
        yield running, name


def dropped(schema: str, table: str, state: State) -> Change:
    """Return the change that dropped the index, and that can create it again."""
    place = {"database": "shop", "schema": schema, "table": table, "index": state.index}
    return Change(
        run_id="r",
        tuner=Tuner.INDEXES,
        action="drop_index",
        target="shop/t",
        before={**place, "definition": state.definition},
        after={},
        reason="r",
        undo={"definition": state.definition},
        risk=Risk.LOW,
    )


def text_of(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


@ENGINES
@SETTINGS
@given(names=st.lists(NAMES, min_size=5, max_size=5, unique_by=str.casefold), comment=TRAPS | TEXT, data=st.data())
@example(
    names=["i", "x` (`id`), RENAME TO `owned` #", "`\nKEY `i` (`id`),", "z", "t"],
    comment="x` (`id`), RENAME TO `owned` #",
    data=None,
)
def test_mysql_definition_is_written_back_equal(
    place: tuple[Any, str], installation: Any, names: list[str], comment: str, data: Any
) -> None:
    running, name = place
    index, first, second, third, table = names

    def draw(values: list[str]) -> str:
        return values[0] if data is None else data.draw(st.sampled_from(values))

    unique, order, prefix = draw(["", "UNIQUE "]), draw(["", " DESC"]), draw(["", "(3)"])
    with ExitStack() as stack:
        session = stack.enter_context(running.session(name))
        cursor = session.cursor()
        stack.callback(cursor.execute, f"DROP TABLE IF EXISTS {quoted(table)}")
        columns = (
            f"{quoted(first)} int COMMENT {text_of(comment[:100])}, {quoted(second)} varchar(9), {quoted(third)} int"
        )
        try:
            cursor.execute(f"CREATE TABLE {quoted(table)} ({columns}, KEY `other` ({quoted(third)}))")
            keys = f"{quoted(second)}{prefix}{order}, {quoted(third)}"
            tail = f"COMMENT {text_of(comment[:100])}"
            cursor.execute(f"CREATE {unique}INDEX {quoted(index)} ON {quoted(table)} ({keys}) {tail}")
        except MySQLError:
            # The server does not accept the name or the comment, or compares two names as equal.
            assume(False)
        engine = "mariadb" if installation is mariadb.PLAIN else "mysql"
        database = Database("shop", engine, HOST, name, port=running.port)
        ours = reading(database, lambda: stack.enter_context(running.session(name)))
        before = ours.look(name, table, index, Job.CREATE)
        assert before is not None
        assert before.definition.startswith(f"{unique}INDEX {quoted(index)} ({quoted(second)}")
        change = dropped(name, table, before)
        cursor.execute(ours.statement(Job.DROP, change, before))
        assert ours.look(name, table, index, Job.CREATE) is None
        cursor.execute(ours.statement(Job.CREATE, change, None))
        assert ours.look(name, table, index, Job.CREATE) == before


@pytest.mark.parametrize("installation", [postgresql.WHEEL_16], ids=["PostgreSQL"])
@SETTINGS
@given(names=st.lists(NAMES, min_size=5, max_size=5, unique=True), data=st.data())
def test_postgresql_definition_is_written_back_equal(place: tuple[Any, str], names: list[str], data: Any) -> None:
    running, name = place
    schema, index, first, second, table = (identifier(name) for name in names)
    assume(not names[0].startswith("pg_"))
    parts = {
        "kind": ["", "UNIQUE "],
        "key": [first, f'lower({second}) COLLATE "C"', f"({first} || {text_of_postgresql(names[2])})"],
        "order": ["", " DESC", " NULLS FIRST", " text_pattern_ops"],
        "rest": ["", f" INCLUDE ({second})", " WITH (fillfactor = 70)"],
        "where": ["", f" WHERE {second} <> {text_of_postgresql(names[3])}"],
    }
    drawn = {name: data.draw(st.sampled_from(values)) for name, values in parts.items()}
    with ExitStack() as stack:
        session = stack.enter_context(running.session(name))
        stack.callback(session.run, f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        try:
            session.run(f"CREATE SCHEMA {schema}")
            session.run(f"CREATE TABLE {schema}.{table} ({first} text, {second} text)")
            key = f"{drawn['key']}{drawn['order']}"
            place = f"{schema}.{table} ({key}){drawn['rest']}{drawn['where']}"
            session.run(f"CREATE {drawn['kind']}INDEX {index} ON {place}")
        except DatabaseError:
            assume(False)
        session.run("SET search_path = pg_catalog, pg_temp")
        database = Database("shop", "postgresql", HOST, name, port=running.port)

        def connect() -> Any:
            opened = stack.enter_context(running.session(name))
            opened.run("SET search_path = pg_catalog, pg_temp")
            return opened

        ours = reading(database, connect)
        before = ours.look(names[0], names[4], names[1], Job.CREATE)
        assert before is not None
        change = dropped(names[0], names[4], before)
        session.run(ours.statement(Job.DROP, change, before))
        assert ours.look(names[0], names[4], names[1], Job.CREATE) is None
        session.run(ours.statement(Job.CREATE, change, None))
        after = ours.look(names[0], names[4], names[1], Job.CREATE)
        assert after is not None
        assert (after.definition, after.shape) == (before.definition, before.shape)
        assert after.is_valid


def text_of_postgresql(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
