"""What statements and stored code need of an index is seen on real servers, or said to be not known."""

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from local_account.servers import Installation, mariadb, mysql
from local_account.servers.mysql_family import MysqlServer
from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.model.finding import Action, Finding
from optimizer.indexes.mysql.reader import read_catalog
from optimizer.indexes.mysql.redundant import find_redundant

from tests.integration.indexes.test_mysql_findings import look, run

Get = Callable[[Installation[MysqlServer]], MysqlServer]
COUNTING = pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.COUNTING], ids=["mysql", "mariadb"])
TABLE = "CREATE TABLE t (id int PRIMARY KEY, a int, b int, c varchar(50), KEY narrow (a), KEY wide (a, b))"
HINTED = "select c from t force index(narrow) where a = 5"
PREPARE, EXECUTE = 0x16, 0x17


def narrow(catalog: Catalog) -> Finding:
    """Return the finding on the index that looks superfluous."""
    return next(finding for finding in find_redundant(catalog) if finding.index == "narrow")


@contextmanager
def prepared_on_the_server(running: MysqlServer, database: str, statement: str) -> Iterator[None]:
    """Prepare and execute a statement without parameters over the binary protocol, as drivers do; then close it."""
    with running.session(database) as connection:
        session: Any = connection
        session._execute_command(PREPARE, statement)
        number = struct.unpack_from("<xI", session._read_packet().get_all_data())[0]
        while not session._read_packet().is_eof_packet():
            pass
        session._execute_command(EXECUTE, struct.pack("<IBI", number, 0, 1))
        eofs = 0
        session._read_packet()
        while eofs < 2:
            eofs += session._read_packet().is_eof_packet()
        yield


@COUNTING
def test_prepared_statement_that_names_an_index_keeps_it(server: Get, installation: Installation[MysqlServer]) -> None:
    """Error 1176 would end it after the drop."""
    running = server(installation)
    with running.database(TABLE) as name:
        with prepared_on_the_server(running, name, HINTED):
            found = narrow(look(running, name))
            assert (found.action, "names it in a hint" in (found.kept_because or "")) == (Action.NONE, True)
        after = narrow(look(running, name))
        if installation is not mysql.MYSQL:
            # What was executed is counted since the start.
            running.restart()
            assert "prepared_statements" not in look(running, name).not_read
    if installation is mysql.MYSQL:
        assert "names it in a hint" in (after.kept_because or "")
    else:
        # MariaDB has forgotten its text.
        assert after.evidence["hints_known"] is False
        assert "keeps the text of a prepared statement only until" in after.reason


@COUNTING
@pytest.mark.parametrize("hint", ["FORCE INDEX", "force index", "Ignore Key", "use index for order by"])
def test_stored_code_is_read_in_any_case(server: Get, installation: Installation[MysqlServer], hint: str) -> None:
    running = server(installation)
    code = f"CREATE PROCEDURE p(IN x int) SELECT * FROM t {hint} (narrow) WHERE a = x ORDER BY b"  # noqa: S608
    with running.database(TABLE, code) as name:
        found = narrow(look(running, name))
    assert found.kept_because == "the routine p names it in a hint and would fail without it"


@COUNTING
def test_code_that_the_role_may_not_see_may_name_an_index(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    rights = ["PROCESS ON *.*", "SELECT, SHOW VIEW, TRIGGER, EVENT ON `{}`.*", "SELECT ON performance_schema.*"]
    shows = "SHOW_ROUTINE ON *.*" if installation is mysql.MYSQL else "SELECT ON mysql.proc"
    code = "CREATE PROCEDURE monthly(IN x int) SELECT * FROM t FORCE INDEX (narrow) WHERE a = x"
    with running.database(TABLE, code) as name, running.session() as session, session.cursor() as cursor:

        def seen() -> Finding:
            with running.session(user="looker") as own:
                return narrow(read_catalog(own, database=name))

        cursor.execute("CREATE USER looker@'%%' IDENTIFIED BY %s", [session.password.decode()])
        try:
            for right in rights:
                cursor.execute(f"GRANT {right.format(name.replace('`', '``'))} TO looker@'%'")
            blind = seen()
            assert (blind.evidence["hints_known"], blind.action) == (False, Action.DROP)
            assert "may see no routines but its own" in blind.reason
            cursor.execute(f"GRANT {shows} TO looker@'%'")
            found = seen()
        finally:
            cursor.execute("DROP USER looker@'%'")
    assert found.kept_because == "the routine monthly names it in a hint and would fail without it"


@COUNTING
@pytest.mark.parametrize("names", [1, 20])
def test_hint_behind_the_end_of_a_cut_text_is_not_known(
    server: Get, installation: Installation[MysqlServer], names: int
) -> None:
    """Whether the text holds many tokens or few, the server cuts it at the bytes of its tokens."""
    running = server(installation)
    alias = "x" * names
    columns = ", ".join(f"a AS {alias}{number:02}" for number in range(1600 // (names + 16)))
    with running.database(TABLE) as name:
        run(running, name, f"SELECT {columns} FROM t FORCE INDEX (narrow) WHERE a = 5")  # noqa: S608
        found = narrow(look(running, name))
        assert "cuts the texts of long statements" in found.evidence.get("hints_unknown_because", ""), found
    with running.database(TABLE) as name:
        run(running, name, "SELECT a FROM t WHERE a = 5")
        assert narrow(look(running, name)).evidence["hints_known"] is True


NEEDING = [
    "SELECT MAX(id) FROM t WHERE a = 5",
    "SELECT a, min(t.id) FROM t WHERE a > 2 GROUP BY a",
    "SELECT id, COUNT(*) FROM t WHERE a = 5 GROUP BY id",
    "SELECT * FROM t WHERE a = 5 ORDER BY a, id DESC LIMIT 3",
    "SELECT * FROM t WHERE a = 5 AND id > 100 LIMIT 3",
    "SELECT * FROM t WHERE a = 5 AND 100 >= id",
    "SELECT * FROM t WHERE a = 5 AND id BETWEEN 1 AND 9",
    "SELECT * FROM t WHERE (a, id) > (5, 100) ORDER BY a, id LIMIT 3",
    "SELECT x.* FROM t x WHERE x.a = 5 ORDER BY x.id LIMIT 1",
    "SELECT id, ROW_NUMBER() OVER (PARTITION BY a ORDER BY id) FROM t WHERE a = 5",
    "UPDATE t SET c = 'x' WHERE a = 5 ORDER BY id LIMIT 1",
    "DELETE FROM t WHERE a = 5 AND id < 0",
]
NOT_NEEDING = [
    "SELECT id, a FROM t WHERE a = 5",
    "SELECT * FROM t WHERE a = 5 AND id = 7",
    "SELECT * FROM t WHERE a = 5 AND id IN (1, 2)",
    "SELECT id FROM t WHERE a = 5 ORDER BY b",
    "SELECT MAX(b) FROM t WHERE a = 5",
]


@COUNTING
def test_index_that_gives_the_order_of_the_primary_key_is_kept(
    server: Get, installation: Installation[MysqlServer]
) -> None:
    """InnoDB ends each secondary index with the primary key, so (a) is (a, id), which (a, b) is not."""
    running = server(installation)
    cases = [*product(NEEDING, [True]), *product(NOT_NEEDING, [False])]
    tables = {f"t{number}": case for number, case in enumerate(cases)}
    with running.database(*(TABLE.replace("TABLE t ", f"TABLE {table} ") for table in tables)) as name:
        for table, (statement, _) in tables.items():
            run(running, name, re.sub(r"\bt\b(?=[ .])", table, statement))
        found = {one.table: one for one in find_redundant(look(running, name)) if one.index == "narrow"}
    for table, (statement, needs) in tables.items():
        assert (found[table].action is Action.NONE) == needs, (statement, found[table])
        assert not needs or "order of id" in (found[table].kept_because or "")


@COUNTING
def test_stored_code_may_need_the_order_of_the_key(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    code = "CREATE FUNCTION latest(x int) RETURNS int READS SQL DATA RETURN (SELECT max(id) FROM t WHERE a = x)"
    with running.database(TABLE, code) as name:
        found = narrow(look(running, name))
    assert "order of id" in (found.kept_because or "")
