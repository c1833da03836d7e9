"""The documented rights: sufficient for changes, and without any change for reading only."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from local_account.servers import mariadb, mysql, postgresql
from optimizer.core.change import Change
from optimizer.indexes.change import server_for
from optimizer.indexes.planner import Planner
from optimizer.indexes.read_nodes import read_nodes

from tests.helpers.memory_bucket import MemoryBucket

TEXT = (Path(__file__).parents[2] / "docs" / "indexes-rights.md").read_text()
TABLE = '"Shop""s"."Ta ble"'


def statements(engine: str) -> list[list[str]]:
    """Return the documented statements: those for reading and those for changes."""
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (text,) = [part for part in section if part.partition("\n")[0].lower() == engine]
    blocks = re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL)
    return [[line for line in block.split(";\n") if line.strip()] for block in blocks]


class Team:
    """A scene whose tables belong to another role; `grant` grants the documented rights."""

    def __init__(self, one: Any) -> None:
        self.one = one
        self.to_look, self.to_change = statements(one.database.engine)
        if one.is_postgresql:
            one.run("CREATE ROLE shop_owner")
            one.run(f"ALTER TABLE {TABLE} OWNER TO shop_owner")
            one.run('ALTER SCHEMA "Shop""s" OWNER TO shop_owner')

    def grant(self, given: list[str]) -> None:
        with self.one.running.session() as session:
            for statement in given:
                if self.one.is_postgresql:
                    session.run(statement.replace("DATABASE shop", f'DATABASE "{self.one.database.database}"'))
                else:
                    name = self.one.database.database.replace("`", "``")
                    with session.cursor() as cursor:
                        cursor.execute(statement.replace("ON shop.", f"ON `{name}`."))

    def log_in(self) -> None:
        self.one.secret.text = '{"username": "optimizer", "password": "choose-one", "host": "127.0.0.1"}'
        self.one.pool._secrets.clear()
        self.one.pool.forget(self.one.database)

    def forget(self) -> None:
        with self.one.running.session(self.one.database.database) as session:
            if self.one.is_postgresql:
                for statement in ("DROP OWNED BY optimizer, shop_owner CASCADE", "DROP ROLE optimizer, shop_owner"):
                    session.run(statement)
            else:
                with session.cursor() as cursor:
                    cursor.execute("DROP USER optimizer@'%'")

    def look(self) -> Any:
        return read_nodes(self.one.database, self.one.pool)[0]

    def plan(self) -> list[Change]:
        planner = Planner(
            store=self.one.store,
            records=SimpleNamespace(began=lambda *_: False),  # type: ignore[arg-type]
            documents=MemoryBucket(),  # type: ignore[arg-type]
            server=server_for(self.one.database, self.one.pool),
            database=self.one.database,
            read=lambda: read_nodes(self.one.database, self.one.pool),
            limits=self.one.limits,
        )
        return planner.plan("run-1", self.one.now).changes


@pytest.fixture
def team(scene: Callable[..., Any], installation: Any) -> Iterator[Team]:
    made = Team(scene(installation, rows=500))
    made.grant(made.to_look)
    yield made
    made.forget()


@pytest.mark.parametrize(
    "installation", [postgresql.DEBIAN_15, mysql.MYSQL, mariadb.COUNTING], ids=["PostgreSQL", "MySQL", "MariaDB"]
)
def test_documented_rights_are_sufficient_and_minimal(team: Team) -> None:
    one = team.one
    if one.is_postgresql:
        one.run("CREATE EXTENSION pgstattuple")
        one.run("CREATE EXTENSION pg_stat_statements")
        one.run(f"CREATE INDEX again ON {TABLE} (a, b)")
    else:
        one.run("CREATE INDEX again ON `Ta ble` (a, b)")
    team.log_in()
    catalog = team.look()
    # PostgreSQL shows the planner's statistics of a column only to those who may read it.
    assert catalog.not_read.keys() == ({"column_statistics"} if one.is_postgresql else set())
    assert any(index.name == "again" for index in catalog.indexes)
    assert "drop_index" in {change.action for change in team.plan()}
    before = one.look()
    refused = one.until("apply", one.change("rebuild" if one.is_postgresql else "drop_index"))
    assert refused["outcome"] == "failed", refused
    assert one.look() == before

    team.grant(team.to_change)
    team.log_in()
    definition = f"CREATE INDEX n ON {TABLE} (b)" if one.is_postgresql else "INDEX `n` (`b`)"
    made = one.change("create_index", index="n", run_id="run-2", after={"definition": definition})
    upkeep = ("rebuild", "vacuum") if one.is_postgresql else ("optimize_table",)
    rest = [
        one.change(action, index=None if action == "rebuild" else "", run_id="run-2") for action in (*upkeep, "analyze")
    ]
    dropped = one.change("drop_index", index="again", run_id="run-2")
    for change in (made, *rest, dropped):
        answer = one.whole(change)
        assert answer["outcome"] == "kept", (change.action, answer)
    assert (one.look("n") is not None, one.look("again")) == (True, None)
    assert not team.look().not_read
    assert one.until("revert", dropped)["outcome"] == "reverted"
    assert one.look("again").is_visible
