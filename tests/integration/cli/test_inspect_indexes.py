"""`optimizer inspect indexes` on real servers of every engine."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from local_account.servers import HOST, Installation, free_port, mariadb, mysql, postgresql
from local_account.servers.mysql_family import PASSWORD, quoted
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
        shown = inspect("--url", running.dsn(name))
        checked = inspect("--dsn", running.dsn(name), "--check")
    assert shown.exit_code == 0, shown.output
    assert "4 indexes" in shown.output or "5 indexes" in shown.output
    for expected in ("To do: ", "orders: narrow", "Kept: ", "orders: sole", "unique"):
        assert expected in shown.output
    assert checked.exit_code == 3


@EVERY
def test_inspect_json_prints_one_document(server: Get, installation: Installation[Any]) -> None:
    running = server(installation)
    with running.database(*MAKE) as name:
        shown = inspect("--json", "--replica", f"{HOST}:{running.port}", OPTIMIZER_DATABASE_URL=running.dsn(name))
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert document["server"]["database"] == name
    assert document["server"]["engine"] in installation.name.lower()
    dropped = {item["index"]: item["covered_by"] for item in document["findings"] if item["action"] == "drop"}
    assert dropped.keys() == {"narrow"}
    kept = {item["index"]: item["kept_because"] for item in document["findings"] if item["action"] == "none"}
    assert "unique" in kept["sole"]


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
