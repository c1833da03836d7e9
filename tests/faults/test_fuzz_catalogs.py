"""Read catalogs of real servers with one odd value: they are understood, or rejected in one line."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from local_account.servers import Installation, mariadb, postgresql
from optimizer.indexes import read_nodes as nodes
from optimizer.indexes.detect import detect_findings
from optimizer.indexes.mysql.session import Session
from optimizer.policy.model import Database, Indexes

from tests.helpers.faults.fuzzing import EXAMPLES, failure_of, is_ours

type Answers = dict[str, list[Any]]
MAKE = (
    "CREATE TABLE orders (id int PRIMARY KEY, customer int, note varchar(40))",
    "CREATE INDEX by_customer ON orders (customer)",
    "CREATE INDEX by_customer_too ON orders (customer)",
    "INSERT INTO orders VALUES (1, 2, 'a'), (2, 3, 'b')",
)


class Recorded:
    """The recorded responses of a PostgreSQL, by statement, which it repeats."""

    def __init__(self, answers: Answers, connection: Any = None) -> None:
        self.answers, self.connection = answers, connection

    def run(self, sql: str, **values: Any) -> list[Any]:
        if self.connection is not None:
            self.answers[sql] = [list(row) for row in self.connection.run(sql, **values) or []]
        return self.answers.get(sql, [])


class Pool:
    """A pool of one connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def get(self, _database: Database, _host: str = "") -> Any:
        return self.connection


def understands(database: Database, connection: Any) -> None:
    failure, found = failure_of(lambda: nodes.read_nodes(database, Pool(connection)))  # type: ignore[arg-type]
    assert failure is None or is_ours(failure), f"{type(failure).__name__}: {failure}"
    if failure is None:
        failure, _ = failure_of(lambda: detect_findings(found, Indexes()))
        assert failure is None or is_ours(failure), f"find: {type(failure).__name__}: {failure}"


@st.composite
def odd(draw: st.DrawFn, answers: Answers) -> Answers:
    """Generate the responses without one of their rows, or with another value in one place.

    The value has the same type, as columns have one, or is NULL.
    """
    sql = draw(st.sampled_from(sorted(sql for sql, rows in answers.items() if rows)))
    rows = copy.deepcopy(answers[sql])
    at = draw(st.integers(0, len(rows) - 1))
    if draw(st.integers(0, 5)) == 0:
        return {**answers, sql: rows[:at] + rows[at + 1 :]}
    columns = rows[at][0] if isinstance(rows[at], list) and isinstance(rows[at][0], dict) else rows[at]
    column = draw(st.sampled_from(sorted(columns) if isinstance(columns, dict) else range(len(columns))))
    columns[column] = draw(_like(columns[column]))
    return {**answers, sql: rows}


def _like(value: Any) -> st.SearchStrategy[Any]:
    match value:
        case bool():
            return st.none() | st.booleans()
        case int() | float():
            return st.none() | st.integers(-(2**62), 2**62)
        case str():
            return st.none() | st.text(max_size=12)
        case list():
            return st.none() | st.just([])
        case dict():
            return st.none() | st.just({})
    return st.none()


def test_a_catalog_of_postgresql(server: Callable[[Installation[Any]], Any]) -> None:
    running, answers = server(postgresql.DEBIAN_15), dict[str, list[Any]]()
    database = Database(name="shop", engine="postgresql", host="db", database="shop")
    with running.database(*MAKE) as name, running.session(name) as session:
        assert nodes.read_nodes(database, Pool(Recorded(answers, session)))  # type: ignore[arg-type]

    @EXAMPLES
    @given(odd(json.loads(json.dumps(answers))))
    def reads(changed: Answers) -> None:
        understands(database, Recorded(changed))

    reads()


def test_a_catalog_of_mariadb(server: Callable[[Installation[Any]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    running, answers = server(mariadb.COUNTING), dict[str, list[Any]]()
    read = Session.rows

    def recorded(session: Session, query: str, arguments: Any = ()) -> list[dict[str, Any]]:
        answers[query] = read(session, query, arguments)
        return answers[query]

    with running.database(*MAKE) as name, running.session(name) as connection:
        database = Database(name="shop", engine="mariadb", host="db", database=name)
        monkeypatch.setattr(Session, "rows", recorded)
        assert nodes.read_nodes(database, Pool(connection))  # type: ignore[arg-type]

    @EXAMPLES
    @given(odd(answers))
    def reads(changed: Answers) -> None:
        monkeypatch.setattr(Session, "rows", lambda _session, query, _arguments=(): changed.get(query, []))
        understands(database, None)

    reads()
