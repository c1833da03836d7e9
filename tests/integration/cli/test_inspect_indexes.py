"""`optimizer inspect indexes` on real servers of every engine."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from local_account.servers import HOST, Installation, free_port, mariadb, mysql, postgresql
from local_account.servers.mysql_family import PASSWORD, quoted
from optimizer.core import Risk
from optimizer.indexes.model import Action, Finding, Kind
from optimizer_cli.inspections.index_tables import sort_out
from optimizer_cli.main import main

Get = Callable[[Installation[Any]], Any]
EVERY = pytest.mark.parametrize(
    "installation",
    [*postgresql.INSTALLATIONS, *mysql.INSTALLATIONS, *mariadb.INSTALLATIONS],
    ids=lambda installation: installation.name,
)
MAKE = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "CREATE TABLE orders (id int PRIMARY KEY, a int, b int)",
    "CREATE INDEX narrow ON orders (a)",
    "CREATE INDEX wide ON orders (a, b)",
    "CREATE UNIQUE INDEX sole ON orders (a)",
)


def inspect(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["inspect", "indexes", *arguments], env={"COLUMNS": "200", **environment})


@EVERY
def test_inspect_prints_findings_and_reasons_to_keep(server: Get, installation: Installation[Any]) -> None:
    running = server(installation)
    with running.database(*MAKE) as name:
        shown = inspect("--url", running.dsn(name), "--kept")
        short = inspect("--url", running.dsn(name))
        checked = inspect("--dsn", running.dsn(name), "--check")
    assert shown.exit_code == 0, shown.output
    assert "4 indexes" in shown.output or "5 indexes" in shown.output
    for expected in ("To do: ", "orders: narrow", "Kept: ", "orders: sole", "unique"):
        assert expected in shown.output
    assert checked.exit_code == 3
    assert "orders: sole" not in short.output
    assert "--kept shows the reasons" in short.output


@EVERY
def test_inspect_json_prints_one_document(server: Get, installation: Installation[Any]) -> None:
    running = server(installation)
    with running.database(*MAKE) as name:
        shown = inspect(
            "--json", "--kept", "--replica", f"{HOST}:{running.port}", OPTIMIZER_DATABASE_URL=running.dsn(name)
        )
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert document["server"]["database"] == name
    assert document["server"]["engine"] in installation.name.lower()
    dropped = {item["index"]: item["covered_by"] for item in document["findings"] if item["action"] == "drop"}
    assert dropped.keys() == {"narrow"}
    kept = {item["index"]: item["kept_because"] for item in document["findings"] if item["action"] == "none"}
    assert "unique" in kept["sole"]


NAMES = ('a "quoted" `name`', "N" * 63)


@EVERY
def test_printed_statements_can_be_copied_and_undone(server: Get, installation: Installation[Any]) -> None:
    """Names are whole, and the statement that rolls a drop back creates the same index again."""
    running = server(installation)
    mark = '"' if installation in postgresql.INSTALLATIONS else "`"
    quoted_names = [mark + name.replace(mark, mark * 2) + mark for name in NAMES]
    make = [f"CREATE INDEX {name} ON orders (a)" for name in quoted_names]
    with running.database(*MAKE[:2], "CREATE INDEX wide ON orders (a, b)", *make) as name:
        arguments = ("--url", running.dsn(name))
        shown = inspect(*arguments, COLUMNS="60")
        before = json.loads(inspect(*arguments, "--json").stdout)
        drops = {item["index"]: item for item in before["findings"] if item["action"] == "drop"}
        assert drops.keys() == set(NAMES)
        for item in drops.values():
            assert f"{item['apply']};\n" in shown.output
            assert f"{item['undo']};\n" in shown.output
            _run(running, name, item["apply"])
        after = json.loads(inspect(*arguments, "--json").stdout)
        assert after["indexes"] == before["indexes"] - 2
        for item in drops.values():
            _run(running, name, item["undo"])
        again = json.loads(inspect(*arguments, "--json").stdout)
        assert again["indexes"] == before["indexes"]
        undone = {item["index"]: item["undo"] for item in again["findings"] if item["action"] == "drop"}
        assert undone == {index: item["undo"] for index, item in drops.items()}


def _run(running: Any, database: str, statement: str) -> None:
    with running.session(database) as session:
        if hasattr(session, "run"):
            session.run(statement)
        else:
            with session.cursor() as cursor:
                cursor.execute(statement)


def test_every_kind_of_finding_has_a_rank() -> None:
    findings = [Finding(kind, Action.ASK, "d", "s", "t", "i", "r", Risk.LOW) for kind in Kind]
    assert {finding.kind for finding in sort_out(findings).todo} == set(Kind)


def test_findings_are_ranked_and_what_is_not_known_is_apart() -> None:
    small = Finding(Kind.DUPLICATE, Action.DROP, "d", "s", "t", "small", "r", Risk.LOW, saves_bytes=1)
    large = replace(small, index="large", saves_bytes=2)
    missing = replace(small, kind=Kind.MISSING_INDEX, index=None, evidence={"share_of_time": 0.1})
    statistics = replace(small, kind=Kind.STALE_STATISTICS, action=Action.ANALYZE, index=None, saves_bytes=None)
    young = replace(small, kind=Kind.UNUSED, action=Action.NONE, evidence={"unknown_because": "one day"})
    kept = replace(small, action=Action.NONE)
    sorted_out = sort_out([young, statistics, small, kept, large, missing])
    assert sorted_out.todo == [missing, large, small, statistics]
    assert (sorted_out.kept, sorted_out.not_known) == ([kept], [young])


@pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.COUNTING, postgresql.WHEEL_16])
def test_inspect_error_is_one_line_without_password(server: Get, installation: Installation[Any]) -> None:
    running = server(installation)
    url = running.dsn("nosuch")
    scheme, _, rest = url.partition("://")
    user = rest.partition(":")[0]
    tries = {
        f"{scheme}://{user}:geheim@{HOST}:{free_port()}/x": "cannot be reached",
        f"{scheme}://{user}:geheim@{HOST}:{running.port}/x": "does not accept the credentials of",
        url: "nosuch",
        f"{scheme}://{user}:geheim@{HOST}:{running.port}/x?sslmode=require": "cannot be reached",
        f"{scheme}://{user}:geheim@{HOST}:port/x": "no URL",
        f"{scheme}:///x": "no host",
        f"oracle://{user}:geheim@{HOST}/x": "must begin with",
    }
    for given, expected in tries.items():
        shown = inspect("--url", given)
        assert shown.exit_code == 1, given
        assert expected in shown.output, shown.output
        assert len(shown.output.splitlines()) == 1, shown.output
        assert "geheim" not in shown.output
        assert "Traceback" not in shown.output
        failed = inspect("--json", "--url", given)
        assert expected in json.loads(failed.stdout)["error"]


@pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.COUNTING], ids=["mysql", "mariadb"])
def test_inspect_names_what_the_role_may_not_read(server: Get, installation: Installation[Any]) -> None:
    running = server(installation)
    with running.database(*MAKE) as name, running.session() as session, session.cursor() as cursor:
        cursor.execute(f"CREATE USER 'few'@'{HOST}' IDENTIFIED BY '{PASSWORD}'")
        try:
            nothing = inspect("--url", running.dsn(name, "few"))
            cursor.execute(f"GRANT SELECT ON {quoted(name)}.* TO 'few'@'{HOST}'")
            something = inspect("--url", running.dsn(name, "few"))
        finally:
            cursor.execute(f"DROP USER 'few'@'{HOST}'")
    assert nothing.exit_code == 1
    assert "denied" in nothing.output
    assert something.exit_code == 0, something.output
    assert "orders: narrow" in something.output
    assert "how often indexes are used" in something.output


def test_inspect_requires_a_url() -> None:
    shown = inspect()
    assert shown.exit_code == 2
    assert "--url" in shown.output
