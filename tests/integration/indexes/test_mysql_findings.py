"""Findings other than pairs of indexes, on real servers of MySQL and MariaDB."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from local_account.servers import Installation, mariadb, mysql
from local_account.servers.mysql_family import HOST, PASSWORD, MysqlServer, quoted
from optimizer.indexes.model.catalog import Catalog, StatementStat
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.usage import UsageLimits, take_snapshot
from optimizer.indexes.mysql.detect import find
from optimizer.indexes.mysql.missing import MysqlMissingLimits, find_missing
from optimizer.indexes.mysql.reader import NoSuchDatabase, read_catalog
from optimizer.indexes.mysql.upkeep import MysqlUpkeepLimits

Get = Callable[[Installation[MysqlServer]], MysqlServer]
COUNTING = pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.COUNTING], ids=["mysql", "mariadb"])
AT_ONCE: Any = {
    "usage_limits": UsageLimits(days=0.0, month_ends=0, quarter_ends=0),
    "missing_limits": MysqlMissingLimits(min_load_share=0.0),
    "upkeep_limits": MysqlUpkeepLimits(min_free_bytes=2**20),
}
DIGITS = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION \
SELECT 7 UNION SELECT 8 UNION SELECT 9)"
TEN_THOUSAND = f"SELECT w.d + 10 * x.d + 100 * y.d + 1000 * z.d n FROM {DIGITS} w, {DIGITS} x, {DIGITS} y, {DIGITS} z"  # noqa: S608
ROWS = f"INSERT INTO t (a, b, c) SELECT n % 997, n % 3, REPEAT('x', 40) FROM ({TEN_THOUSAND}) numbers"  # noqa: S608
BIG = "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a int, b int, c varchar(1000), KEY kb (b))"


def run(server: MysqlServer, database: str, *statements: str) -> list[tuple[Any, ...]]:
    with server.session(database) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def look(server: MysqlServer, database: str) -> Catalog:
    with server.session() as session:
        return read_catalog(session, database=database)


def of_kind(findings: list[Finding], kind: Kind) -> dict[str | None, Finding]:
    return {finding.index: finding for finding in findings if finding.kind is kind}


@COUNTING
def test_index_is_unused_only_if_counted_and_not_needed(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    make = [
        "CREATE TABLE p (id int PRIMARY KEY)",
        """CREATE TABLE t (a int, n int AUTO_INCREMENT, pid int, w text, u int, r int, x int, PRIMARY KEY (a, n),
           KEY counting (n), KEY parent (pid), FULLTEXT KEY words (w), UNIQUE KEY sole (u), KEY used (r), KEY idle (x),
           FOREIGN KEY (pid) REFERENCES p (id))""",
        "INSERT INTO t (a, r) VALUES (1, 1), (2, 2)",
    ]
    with running.database(*make) as name:
        run(running, name, "SELECT * FROM t FORCE INDEX (used) WHERE r = 1", "SELECT * FROM t")
        before = take_snapshot(look(running, name))
        run(running, name, "SELECT * FROM t")
        catalog = look(running, name)
        found = of_kind(find(catalog, [before], **AT_ONCE), Kind.UNUSED)
        assert {index: item.action for index, item in found.items()} == {
            "idle": Action.DROP,
            **dict.fromkeys(["counting", "parent", "words", "sole"], Action.NONE),
        }
        words = {"counting": "AUTO_INCREMENT", "parent": "foreign key", "words": "fulltext", "sole": "unique"}
        assert all(text in (found[index].kept_because or "") for index, text in words.items())
        assert "0.0 of the required 35 days" in (of_kind(find(catalog), Kind.UNUSED)["idle"].kept_because or "")


def test_without_counters_no_index_is_unused(server: Get) -> None:
    running = server(mariadb.PLAIN)
    with running.database("CREATE TABLE t (a int, KEY idle (a))") as name:
        catalog = look(running, name)
    assert catalog.not_read == {"usage": "performance_schema is off", "statements": "performance_schema is off"}
    assert [index.scans for index in catalog.indexes] == [None]
    assert of_kind(find(catalog, **AT_ONCE), Kind.UNUSED) == {}


def test_altering_a_mysql_table_restarts_its_usage(server: Get) -> None:
    running = server(mysql.MYSQL)
    with running.database("CREATE TABLE t (a int, b int, KEY ka (a))") as name:
        run(running, name, "INSERT INTO t VALUES (1, 1)", "SELECT * FROM t FORCE INDEX (ka) WHERE a = 1")
        before = look(running, name)
        assert [index.scans for index in before.indexes] == [1]
        time.sleep(1.1)
        run(running, name, "ALTER TABLE t ADD INDEX kb (b)", "SELECT * FROM t")
        after = look(running, name)
    assert [index.scans for index in after.indexes] == [0, 0]
    # It looks as if nothing had read it since the server started, weeks ago.
    assert after.server.started_at is not None
    weeks_ago = after.server.started_at - timedelta(days=200)
    after = replace(after, server=replace(after.server, started_at=weeks_ago, counted_since=weeks_ago))
    kept = of_kind(find(after), Kind.UNUSED)["ka"]
    assert kept.action is Action.NONE
    assert kept.evidence["days"] < 1
    assert of_kind(find(after, [take_snapshot(before)], **AT_ONCE), Kind.UNUSED)["ka"].evidence["days"] < 1


@COUNTING
def test_statistics_of_a_table_of_few_rows_are_never_stale(
    server: Get, installation: Installation[MysqlServer]
) -> None:
    running = server(installation)
    with running.database(f"{BIG} STATS_AUTO_RECALC=0") as name:
        run(running, name, "INSERT INTO t (a) VALUES (1)", "ANALYZE TABLE t", "UPDATE t SET a = 2", "DELETE FROM t")
        run(running, name, "INSERT INTO t (a) VALUES (1), (2), (3)")
        assert not [item for item in find(look(running, name)) if item.kind is Kind.STALE_STATISTICS]


@COUNTING
def test_statistics_without_recalculation_are_stale(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    with running.database(f"{BIG} STATS_AUTO_RECALC=0", "CREATE TABLE fresh (a int)") as name:
        run(running, name, "ANALYZE TABLE t", ROWS)
        found = [item for item in find(look(running, name)) if item.kind is Kind.STALE_STATISTICS]
        assert [(item.table, item.action) for item in found] == [("t", Action.ANALYZE)]
        run(running, name, "ANALYZE TABLE t")
        assert not [item for item in find(look(running, name)) if item.kind is Kind.STALE_STATISTICS]


def test_foreign_key_without_index_is_found_and_repaired(server: Get) -> None:
    running = server(mariadb.COUNTING)
    make = [
        "CREATE TABLE `Par``ent` (a int, b int, PRIMARY KEY (a, b))",
        "CREATE TABLE c (`Fk a` int, b int, CONSTRAINT `F``1` FOREIGN KEY (`Fk a`, b) REFERENCES `Par``ent` (a, b))",
    ]
    with running.database(*make) as name:
        assert not [item for item in find(look(running, name)) if item.kind is Kind.FOREIGN_KEY_WITHOUT_INDEX]
        run(running, name, "SET foreign_key_checks = 0", "ALTER TABLE c DROP INDEX `F``1`")
        (found,) = [item for item in find(look(running, name)) if item.kind is Kind.FOREIGN_KEY_WITHOUT_INDEX]
        assert found.statement is not None
        run(running, name, found.statement)
        assert not [item for item in find(look(running, name)) if item.kind is Kind.FOREIGN_KEY_WITHOUT_INDEX]


@COUNTING
def test_missing_index_is_proposed_and_used_by_the_server(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    with running.database(BIG, ROWS, "ANALYZE TABLE t") as name:
        wanting = "SELECT * FROM t WHERE a = {} AND b = 1"
        deliberate = ["SELECT COUNT(*) FROM t", "SELECT * FROM t WHERE c LIKE '%y%'", "SELECT * FROM t WHERE a > 3"]
        run(running, name, *(wanting.format(n) for n in range(12)), *deliberate * 12)
        run(running, name, *("UPDATE t SET c = 'z' WHERE a = -1" for _ in range(12)))
        found = [item for item in find(look(running, name), **AT_ONCE) if item.kind is Kind.MISSING_INDEX]
        assert [item.evidence["columns"] for item in found] in ([["a", "b"], ["a"]], [["b", "a"], ["a"]], [["a"]])
        assert all(item.action is Action.CREATE for item in found)
        assert found[0].statement is not None
        run(running, name, found[0].statement, "ANALYZE TABLE t")
        plan = run(running, name, f"EXPLAIN {wanting.format(5)}")
        assert found[0].evidence["name"] in str(plan[0])


@COUNTING
def test_tables_of_other_databases_are_not_opened(server: Get, installation: Installation[MysqlServer]) -> None:
    """A foreign key of another database to this one is seen all the same."""
    running = server(installation)
    others = [f"CREATE TABLE t{number} (a int PRIMARY KEY)" for number in range(40)]
    make = ["CREATE TABLE p (a int PRIMARY KEY, b int, UNIQUE KEY ub (b))", "CREATE TABLE q (a int PRIMARY KEY)"]
    with running.database(*others), running.database(*make) as name, running.database() as other:
        run(running, other, f"CREATE TABLE c (b int, FOREIGN KEY (b) REFERENCES {quoted(name)}.p (b))")
        run(running, name, "FLUSH TABLES")
        with running.session() as session, session.cursor() as cursor:
            catalog = read_catalog(session, database=name)
            cursor.execute("SHOW SESSION STATUS LIKE 'Opened_tables'")
            ((_, opened),) = cursor.fetchall()
    assert [(key.schema, key.parent_schema, key.parent_table) for key in catalog.foreign_keys] == [(other, name, "p")]
    assert {index.name for index in catalog.indexes if index.is_referenced} == {"ub"}
    assert "foreign_keys_of_other_databases" not in catalog.not_read
    # MySQL reads its dictionary instead.
    assert int(opened) < len(others) or installation is mysql.MYSQL


@COUNTING
def test_partitions_of_a_table_named_like_one_are_its_own(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    odd = "`we#P#ird-tab.le`"
    make = [
        f"CREATE TABLE {odd} (a int PRIMARY KEY) PARTITION BY HASH (a) PARTITIONS 2",
        "CREATE TABLE `we` (a int PRIMARY KEY)",
        f"INSERT INTO {odd} VALUES (1), (2), (3)",  # noqa: S608 - constants
        f"ANALYZE TABLE {odd}, `we`",
    ]
    with running.database(*make) as name:
        rows = {table.name: table.rows for table in look(running, name).tables}
    assert rows == {"we#P#ird-tab.le": 3, "we": 0}


# Definitions of a column beside those of t, and the keys of the index that serves `a = ? AND c = ? ORDER BY b`.
KEY_LENGTHS = {
    "fits": ("c varchar(756) CHARACTER SET utf8mb4", "", "`a`, `c`, `b`"),
    "prefix": ("c varchar(800) CHARACTER SET utf8mb4", "", "`a`, `c`(764)"),
    "bytes": ("c varbinary(3070)", "", "`a`, `c`(3056)"),
    "one byte a character": ("c varchar(3000) CHARACTER SET latin1", "", "`a`, `c`, `b`"),
    "old format": ("c varchar(200) CHARACTER SET utf8mb4", "ROW_FORMAT=COMPACT", "`a`, `c`(191)"),
    "old engine": ("c varchar(300) CHARACTER SET utf8mb4", "ENGINE=MyISAM", "`a`, `c`(246)"),
}


@COUNTING
@pytest.mark.parametrize("length", KEY_LENGTHS)
def test_keys_are_no_longer_than_the_engine_allows(
    server: Get, installation: Installation[MysqlServer], length: str
) -> None:
    column, options, keys = KEY_LENGTHS[length]
    running = server(installation)
    make = f"CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a int, b int, {column}) {options}"
    with running.database(make, ROWS.replace("REPEAT('x', 40)", "n % 7"), "ANALYZE TABLE t") as name:
        catalog = look(running, name)
        text = "SELECT * FROM `t` WHERE `a` = ? AND `c` = ? ORDER BY `b` LIMIT ?"
        load = StatementStat("k", text, 1000, 1e6, 1000.0, 1000, rows_examined=10_000_000, schema=name)
        distinct = {"a": 997.0, "c": 7.0}
        columns = tuple(replace(one, distinct=distinct.get(one.name)) for one in catalog.tables[0].columns)
        table = replace(catalog.tables[0], columns=columns, rows=10_000.0)
        (found,) = find_missing(replace(catalog, tables=(table,), statements=(load,)))
        assert found.statement is not None
        assert found.statement.endswith(f"({keys})")
        run(running, name, "SET SESSION sql_mode = 'STRICT_ALL_TABLES'", found.statement)
        catalog = look(running, name)
        assert find_missing(replace(catalog, tables=(table,), statements=(load,))) == []


@COUNTING
def test_mostly_free_file_is_rewritten_unless_it_will_fill(
    server: Get, installation: Installation[MysqlServer]
) -> None:
    running = server(installation)
    wide = ROWS.replace("REPEAT('x', 40)", "REPEAT('x', 900)")
    with running.database(BIG, wide, wide) as name:

        def seen() -> Finding | None:
            run(running, name, "ANALYZE TABLE t")
            found = find(look(running, name), **AT_ONCE)
            return next((item for item in found if item.kind is Kind.BLOATED), None)

        assert seen() is None
        run(running, name, "DELETE FROM t WHERE id > 2000")
        deadline = time.monotonic() + 20
        while (found := seen()) is None and time.monotonic() < deadline:
            time.sleep(0.3)
        assert found is not None
        # 20,000 rows came and 18,000 went.
        assert found.action is Action.NONE
        assert "fill it" in (found.kept_because or "")
        catalog = look(running, name)
        table = replace(catalog.tables[0], inserted=0)
        (found,) = [item for item in find(replace(catalog, tables=(table,)), **AT_ONCE) if item.kind is Kind.BLOATED]
        assert found.action is Action.OPTIMIZE_TABLE
        shared = replace(table, shares_tablespace=True)
        (found,) = [item for item in find(replace(catalog, tables=(shared,)), **AT_ONCE) if item.kind is Kind.BLOATED]
        assert found.action is Action.NONE
        run(running, name, "ALTER TABLE t ENGINE=InnoDB")
        assert seen() is None


@pytest.mark.parametrize(("installation", "hide"), [(mysql.MYSQL, "INVISIBLE"), (mariadb.COUNTING, "IGNORED")])
def test_hidden_index_is_reported_as_half_dropped(
    server: Get, installation: Installation[MysqlServer], hide: str
) -> None:
    running = server(installation)
    with running.database(f"CREATE TABLE t (a int, b int, KEY gone (a) {hide}, KEY here (b))") as name:
        found = of_kind(find(look(running, name)), Kind.HIDDEN)
    assert {index: item.action for index, item in found.items()} == {"gone": Action.ASK}
    assert hide in (found["gone"].statement or "")


@COUNTING
def test_role_without_rights_lists_what_it_cannot_read(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    with running.database("CREATE TABLE t (a int, KEY one (a), KEY two (a))") as name:
        user = f"'small'@'{HOST}'"
        grant = f"GRANT SELECT ON {quoted(name)}.* TO {user}"
        run(running, name, f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'", grant)
        try:
            with running.session(user="small") as session:
                catalog = read_catalog(session, database=name)
                with pytest.raises(NoSuchDatabase):
                    read_catalog(session, database="elsewhere")
        finally:
            run(running, name, f"DROP USER {user}")
    assert [index.name for index in catalog.indexes] == ["one", "two"]
    assert {"sizes", "usage", "statements"} <= catalog.not_read.keys()
    assert [item.index for item in find(catalog) if item.action is Action.DROP] == ["two"]
