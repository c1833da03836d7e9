"""Decisions about pairs of indexes on MySQL and on MariaDB."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
import yaml
from local_account.servers import Installation, mariadb, mysql
from local_account.servers.mysql_family import MysqlServer, quoted
from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.model.finding import Action, Finding
from optimizer.indexes.mysql.reader import read_catalog
from optimizer.indexes.mysql.redundant import find_redundant

Get = Callable[[Installation[MysqlServer]], MysqlServer]
PAIRS = Path(__file__).with_name("mysql_index_pairs.yaml")
INSTALLATIONS = {"mysql": mysql.MYSQL, "mariadb": mariadb.COUNTING}


@dataclass(frozen=True, slots=True)
class Case:
    """A pair of indexes and the expected findings."""

    rule: str
    make: list[str]
    run: list[str] = field(default_factory=list)
    needs: str = ""
    drops: dict[str, str] = field(default_factory=dict)
    keeps: dict[str, str] = field(default_factory=dict)


CASES = [Case(**case) for case in yaml.safe_load(PAIRS.read_text())]
RUNS = [
    pytest.param(engine, number, id=f"{engine}: {case.rule}")
    for engine in INSTALLATIONS
    for number, case in enumerate(CASES)
    if case.needs in ("", engine)
]


def schema(number: int) -> str:
    """Return the name of the database of a case."""
    return f"Case {number} `é`"


@dataclass(frozen=True, slots=True)
class Made:
    """All cases on one server, and the findings."""

    server: MysqlServer
    catalog: Catalog
    findings: list[Finding]


@pytest.fixture(scope="module")
def made(server: Get) -> Callable[[str], Made]:
    """Return a function that creates all cases on a server, once."""

    @cache
    def make(engine: str) -> Made:
        running = server(INSTALLATIONS[engine])
        with running.session() as session, session.cursor() as cursor:
            for number, case in enumerate(CASES):
                if case.needs in ("", engine):
                    cursor.execute(f"DROP DATABASE IF EXISTS {quoted(schema(number))}")
                    cursor.execute(f"CREATE DATABASE {quoted(schema(number))} CHARACTER SET utf8mb4")
                    cursor.execute(f"USE {quoted(schema(number))}")
                    for statement in [*case.make, *case.run]:
                        cursor.execute(statement)
            catalog = read_catalog(session)
        return Made(running, catalog, find_redundant(catalog))

    return make


@pytest.mark.parametrize(("engine", "number"), RUNS)
def test_each_pair_is_judged_correctly(made: Callable[[str], Made], engine: str, number: int) -> None:
    case, found = CASES[number], made(engine)
    findings = [finding for finding in found.findings if finding.schema == schema(number)]
    assert {item.index: item.covered_by for item in findings if item.action is not Action.NONE} == case.drops
    kept = {item.index: item.kept_because or "" for item in findings if item.action is Action.NONE}
    assert kept.keys() == case.keeps.keys(), kept
    assert all(words in kept[index] for index, words in case.keeps.items()), kept


@pytest.mark.parametrize("engine", INSTALLATIONS)
def test_at_least_half_of_the_pairs_are_traps(engine: str) -> None:
    cases = [case for case in CASES if case.needs in ("", engine)]
    assert len(cases) >= 35
    assert sum(not case.drops or bool(case.keeps) for case in cases) * 2 >= len(cases)


@pytest.mark.parametrize("engine", INSTALLATIONS)
def test_found_indexes_can_be_dropped_and_created_again(made: Callable[[str], Made], engine: str) -> None:
    found = made(engine)
    claimed = [finding for finding in found.findings if finding.action is not Action.NONE]
    assert claimed
    with found.server.session() as session, session.cursor() as cursor:
        for finding in claimed:
            table = f"{quoted(finding.schema)}.{quoted(finding.table)}"
            cursor.execute(f"ALTER TABLE {table} DROP INDEX {quoted(finding.index or '')}")
        after = find_redundant(read_catalog(session))
        assert [finding.reason for finding in after if finding.action is not Action.NONE] == []
        for finding in claimed:
            cursor.execute(finding.statement or "")
        again = {(index.schema, index.table, index.name, index.definition) for index in read_catalog(session).indexes}
    assert again == {(index.schema, index.table, index.name, index.definition) for index in found.catalog.indexes}
