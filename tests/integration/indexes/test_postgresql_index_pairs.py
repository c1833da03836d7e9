"""Judge pairs of indexes from a YAML file on every PostgreSQL server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import yaml
from local_account.servers import Installation, postgresql
from local_account.servers.postgresql import PostgresServer
from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.model.finding import Action, Finding
from optimizer.indexes.postgresql.reader import read_catalog
from optimizer.indexes.postgresql.redundant import find_redundant
from pg8000.native import Connection, identifier

Get = Callable[[Installation[PostgresServer]], PostgresServer]
PAIRS = Path(__file__).with_name("postgresql_index_pairs.yaml")


@dataclass(frozen=True, slots=True)
class Case:
    """One pair, and what is to be said of it."""

    rule: str
    make: list[str]
    needs: str = ""
    drops: dict[str, str] = field(default_factory=dict)
    keeps: dict[str, str] = field(default_factory=dict)

    def possible(self, version: int, extensions: set[str]) -> bool:
        """Tell whether the server has the version or extension that the case needs."""
        return all(version >= int(need) if need.isdigit() else need in extensions for need in str(self.needs).split())


CASES = [Case(**case) for case in yaml.safe_load(PAIRS.read_text())]


@dataclass(frozen=True, slots=True)
class Made:
    """All cases made in one database, and what was found."""

    version: int
    extensions: set[str]
    catalog: Catalog
    findings: list[Finding]


@pytest.fixture(scope="module")
def made(server: Get) -> Callable[[Installation[PostgresServer]], Made]:
    """Return a function that creates all cases on a server once."""

    @cache
    def make(installation: Installation[PostgresServer]) -> Made:
        running = server(installation)
        with running.database() as name, running.session(name) as session:
            version = int(session.run("SELECT current_setting('server_version_num')::int / 10000")[0][0])
            extensions = _install(session)
            for number, case in enumerate(CASES):
                if case.possible(version, extensions):
                    session.run(f"CREATE SCHEMA {identifier(f'Case {number}')}")
                    session.run(f"SET search_path = {identifier(f'Case {number}')}, public")
                    for statement in case.make:
                        session.run(statement)
            catalog = read_catalog(session)
        return Made(version, extensions, catalog, find_redundant(catalog))

    return make


@pytest.mark.parametrize("installation", postgresql.INSTALLATIONS, ids=lambda known: known.name)
@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.rule for case in CASES])
def test_pair_of_indexes_is_judged_correctly(
    made: Callable[[Installation[PostgresServer]], Made], installation: Installation[PostgresServer], number: int
) -> None:
    case, found = CASES[number], made(installation)
    if not case.possible(found.version, found.extensions):
        pytest.skip(f"needs {case.needs}")
    findings = [finding for finding in found.findings if finding.schema == f"Case {number}"]
    assert {item.index: item.covered_by for item in findings if item.action is Action.DROP} == case.drops
    kept = {item.index: item.kept_because or "" for item in findings if item.action is Action.NONE}
    assert kept.keys() == case.keeps.keys()
    assert all(words in kept[index] for index, words in case.keeps.items()), kept


def test_at_least_half_of_the_pairs_are_traps() -> None:
    assert len(CASES) >= 25
    assert sum(not case.drops for case in CASES) * 2 >= len(CASES)


def test_findings_are_the_same_when_repeated(made: Callable[[Installation[PostgresServer]], Made]) -> None:
    found = made(postgresql.WHEEL_16)
    assert find_redundant(found.catalog) == found.findings


def _install(session: Connection) -> set[str]:
    wanted = ("btree_gist", "pg_trgm")
    known = {row[0] for row in session.run("SELECT name FROM pg_available_extensions")}
    for name in wanted:
        if name in known:
            session.run(f"CREATE EXTENSION {identifier(name)}")
    return {name for name in wanted if name in known}
