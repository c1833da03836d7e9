"""Test the findings in databases on real PostgreSQL servers."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.servers import Installation, postgresql
from local_account.servers.postgresql import PostgresServer
from optimizer.indexes.model.catalog import Catalog, Table
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.usage import UsageSnapshot, take_snapshot
from optimizer.indexes.postgresql.detect import find
from optimizer.indexes.postgresql.foreign_keys import find_foreign_keys_without_index
from optimizer.indexes.postgresql.index_sql import INDEXES
from optimizer.indexes.postgresql.invalid import find_invalid
from optimizer.indexes.postgresql.reader import read_catalog
from optimizer.indexes.postgresql.unused import find_unused
from optimizer.indexes.postgresql.upkeep import find_upkeep
from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

Get = Callable[[Installation[PostgresServer]], PostgresServer]
LONG = "Größe " + "x" * 55


@pytest.fixture(params=postgresql.INSTALLATIONS, ids=lambda known: known.name)
def database(server: Get, request: pytest.FixtureRequest) -> Iterator[Callable[[], Connection]]:
    """Return a function that opens connections to a new database; they are closed afterwards."""
    running = server(request.param)
    with running.database() as name, contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(running.session(name))


@dataclass
class Moving:
    """A session in which the catalog moves under the first queries for indexes."""

    session: Connection
    failures: int
    code: str = "XX000"

    def run(self, sql: str, **values: Any) -> Any:
        if sql == INDEXES and self.failures:
            self.failures -= 1
            raise DatabaseError({"C": self.code, "M": "could not open relation with OID 1"})
        return self.session.run(sql, **values)


def test_catalog_that_moves_is_read_once_more(server: Get) -> None:
    running = server(postgresql.WHEEL_18)
    with running.database("CREATE TABLE t (a int PRIMARY KEY)") as name, running.session(name) as session:
        assert [index.name for index in read_catalog(Moving(session, failures=1)).indexes] == ["t_pkey"]
        with pytest.raises(DatabaseError, match="could not open relation"):
            read_catalog(Moving(session, failures=2))
        with pytest.raises(DatabaseError, match="could not open relation"):
            read_catalog(Moving(session, failures=1, code="42501"))


def test_leftover_of_a_rebuild_differs_from_a_failed_build(database: Callable[[], Connection]) -> None:
    session, writer = database(), database()
    session.run(f'CREATE TABLE t (a int, b int, CONSTRAINT "{LONG}" UNIQUE (a))')
    session.run("CREATE INDEX plain ON t (b)")
    session.run("CREATE INDEX fine_ccnew ON t (b DESC)")
    session.run("INSERT INTO t VALUES (1, 1), (2, 1)")
    with contextlib.suppress(DatabaseError):
        session.run("CREATE UNIQUE INDEX CONCURRENTLY failed ON t (b)")
    with contextlib.suppress(DatabaseError):
        session.run("CREATE UNIQUE INDEX CONCURRENTLY failed_ccnew ON t (b, (1 / (b - 1)))")
    writer.run("BEGIN")
    writer.run("INSERT INTO t VALUES (3, 3)")
    session.run("SET lock_timeout = '200ms'")
    for name in ("plain", LONG, "plain"):
        with pytest.raises(DatabaseError, match="55P03"):
            session.run(f'REINDEX INDEX CONCURRENTLY "{name}"')
    with pytest.raises(DatabaseError, match="55P03"):
        session.run("CREATE INDEX CONCURRENTLY again ON t (b)")
    writer.run("ROLLBACK")
    found = {item.index: item for item in find_invalid(read_catalog(session))}
    leftovers = {name: item.covered_by for name, item in found.items() if item.kind is Kind.BUILD_LEFTOVER}
    assert leftovers == {"plain_ccnew": "plain", "plain_ccnew1": "plain", f"{LONG[:-6]}_ccnew": LONG}
    assert {name for name, item in found.items() if item.action is Action.ASK} >= {"failed"}
    assert "plain is valid and equal to it" in found["again"].reason
    assert "plain is valid and equal to it" in found["plain_ccnew"].reason
    assert "valid and equal" not in found["failed"].reason
    assert "fine_ccnew" not in found
    assert all(item.action is Action.DROP for item in found.values() if item.kind is Kind.BUILD_LEFTOVER)
    for item in found.values():
        if item.kind is Kind.BUILD_LEFTOVER:
            session.run(f'DROP INDEX CONCURRENTLY "{item.index}"')
    assert {item.kind for item in find_invalid(read_catalog(session))} == {Kind.INVALID}


def test_index_under_construction_is_kept(database: Callable[[], Connection]) -> None:
    session, builder, holder = database(), database(), database()
    session.run("CREATE TABLE t (a int)")
    session.run("INSERT INTO t VALUES (1)")
    holder.run("BEGIN")
    holder.run("INSERT INTO t VALUES (2)")

    def build() -> None:
        with contextlib.suppress(DatabaseError):
            builder.run("CREATE INDEX CONCURRENTLY slow ON t (a)")

    thread = threading.Thread(target=build)
    thread.start()
    try:
        catalog = _until(session, lambda read: bool(read.builds) and any(not index.is_valid for index in read.indexes))
        (finding,) = find_invalid(catalog)
        assert (finding.index, finding.action) == ("slow", Action.NONE)
        assert "being built" in (finding.kept_because or "")
    finally:
        holder.run("COMMIT")
        thread.join(20)
    assert find_invalid(read_catalog(session)) == []


def test_partitioned_index_that_waits_for_its_parts_is_kept(database: Callable[[], Connection]) -> None:
    session = database()
    session.run("CREATE TABLE t (a int) PARTITION BY RANGE (a)")
    session.run("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9)")
    session.run("CREATE INDEX waits ON ONLY t (a)")
    (finding,) = find_invalid(read_catalog(session))
    assert (finding.index, finding.action) == ("waits", Action.NONE)


FOREIGN_KEYS = {
    "plain": ("(p int REFERENCES parent)", [], True),
    "with an index": ("(p int REFERENCES parent)", ["CREATE INDEX ON {t} (p)"], False),
    "with a wider index": ("(p int REFERENCES parent, x int)", ["CREATE INDEX ON {t} (p DESC, x)"], False),
    "with an index that ends in it": ("(p int REFERENCES parent, x int)", ["CREATE INDEX ON {t} (x, p)"], True),
    "only included": ("(p int REFERENCES parent, x int)", ["CREATE INDEX ON {t} (x) INCLUDE (p)"], True),
    "partial on others": ("(p int REFERENCES parent, x int)", ["CREATE INDEX ON {t} (p) WHERE x > 0"], True),
    "partial on not null": ("(p int REFERENCES parent)", ["CREATE INDEX ON {t} (p) WHERE p IS NOT NULL"], False),
    "an expression": ("(p int REFERENCES parent)", ["CREATE INDEX ON {t} ((p + 0))"], True),
    "brin": ("(p int REFERENCES parent)", ["CREATE INDEX ON {t} USING brin (p)"], True),
    "in another order": (
        "(a int, b int, x int, FOREIGN KEY (a, b) REFERENCES pair)", ["CREATE INDEX ON {t} (b, a, x)"], False
    ),
    "first of two": ("(a int, b int, FOREIGN KEY (a, b) REFERENCES pair)", ["CREATE INDEX ON {t} (a)"], True),
    "primary key": ("(p int PRIMARY KEY REFERENCES parent)", [], False),
    "another collation": ("(p text REFERENCES words)", ['CREATE INDEX ON {t} (p COLLATE "C")'], True),
    "partitioned": ("(p int REFERENCES parent) PARTITION BY RANGE (p)", [], True),
}  # fmt: skip


def test_only_foreign_keys_without_an_index_are_found(database: Callable[[], Connection]) -> None:
    session = database()
    for name, columns in (("parent", "id int PRIMARY KEY"), ("pair", "a int, b int, PRIMARY KEY (a, b)")):
        session.run(f"CREATE TABLE {name} ({columns})")
    session.run("CREATE TABLE words (w text PRIMARY KEY)")
    for name, (columns, indexes, _) in FOREIGN_KEYS.items():
        session.run(f'CREATE TABLE "{name}" {columns}')
        for index in indexes:
            session.run(index.format(t=f'"{name}"'))
    found = find_foreign_keys_without_index(read_catalog(session))
    assert {finding.table for finding in found} == {name for name, case in FOREIGN_KEYS.items() if case[2]}
    for finding in found:
        session.run((finding.statement or "").replace(" CONCURRENTLY", ""))
    assert find_foreign_keys_without_index(read_catalog(session)) == []


def test_foreign_key_of_a_partitioned_table_is_served_by_an_index_on_each_partition(
    database: Callable[[], Connection],
) -> None:
    session = database()
    session.run("CREATE TABLE parent (id int PRIMARY KEY)")
    session.run("CREATE TABLE t (p int REFERENCES parent, d int NOT NULL) PARTITION BY RANGE (d)")
    session.run("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)")
    session.run("CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (d)")
    session.run("CREATE TABLE t21 PARTITION OF t2 FOR VALUES FROM (10) TO (15)")
    session.run("CREATE INDEX ON t1 (p)")
    (finding,) = find_foreign_keys_without_index(read_catalog(session))
    assert finding.table == "t"
    session.run("CREATE INDEX ON t21 (p)")
    assert find_foreign_keys_without_index(read_catalog(session)) == []


def test_one_index_for_two_foreign_keys_is_proposed_once(database: Callable[[], Connection]) -> None:
    session = database()
    session.run("CREATE TABLE parent (id int PRIMARY KEY)")
    session.run("CREATE TABLE other (id int PRIMARY KEY)")
    session.run("INSERT INTO other SELECT generate_series(1, 300)")
    session.run("CREATE TABLE t AS SELECT g % 200 + 1 AS p FROM generate_series(1, 20000) g")
    session.run("INSERT INTO parent SELECT generate_series(1, 300)")
    session.run("ALTER TABLE t ADD CONSTRAINT one FOREIGN KEY (p) REFERENCES parent")
    session.run("ALTER TABLE t ADD CONSTRAINT two FOREIGN KEY (p) REFERENCES other")
    session.run("ALTER TABLE t ADD CONSTRAINT three FOREIGN KEY (p) REFERENCES parent")
    session.run("ANALYZE")
    session.run("DELETE FROM other WHERE id > 290")
    catalog = _until(session, lambda read: any(table.deleted for table in read.tables))
    (finding,) = find_foreign_keys_without_index(catalog)
    assert (finding.action, finding.evidence["foreign_key"]) == (Action.CREATE, "two")
    for version, action in (((14, 3), Action.NONE), ((14, 4), Action.CREATE)):
        other = replace(catalog, server=replace(catalog.server, version=version))
        (found,) = [item for item in find(other) if item.kind is Kind.FOREIGN_KEY_WITHOUT_INDEX]
        assert found.action is action
        assert ("14.3 can leave indexes corrupt" in found.reason) == (action is Action.NONE)
    assert sorted(finding.evidence["also_for"]) == ["one", "three"]


def test_lost_counters_do_not_mean_that_a_table_was_never_analysed(server: Get) -> None:
    """A role that may not read the rows sees no statistics of columns, either."""
    running = server(postgresql.WHEEL_16)
    make = ["CREATE TABLE t AS SELECT generate_series(1, 5000) AS a", "CREATE TABLE fresh (a int)"]
    with running.database(*make) as name, running.session(name) as owner:
        owner.run("INSERT INTO fresh VALUES (1)")
        owner.run("VACUUM ANALYZE t")
        owner.run("SELECT pg_stat_reset()")
        owner.run("CREATE ROLE looker LOGIN")
        owner.run("GRANT pg_monitor TO looker")
        try:
            owner.run("SET ROLE looker")
            catalog = read_catalog(owner)
            owner.run("RESET ROLE")
        finally:
            owner.run("DROP ROLE looker")
    stale = {item.table for item in find_upkeep(catalog) if item.kind is Kind.STALE_STATISTICS}
    assert "t" not in stale


def test_foreign_key_index_is_proposed_only_if_it_pays(database: Callable[[], Connection]) -> None:
    session = database()
    session.run("CREATE TABLE parent (id int PRIMARY KEY)")
    session.run("INSERT INTO parent SELECT generate_series(1, 300)")
    session.run("CREATE TABLE large AS SELECT g % 200 + 1 AS p FROM generate_series(1, 20000) g")
    session.run("ALTER TABLE large ADD FOREIGN KEY (p) REFERENCES parent")
    session.run("CREATE TABLE small (p int REFERENCES parent)")
    session.run("ANALYZE")
    found = find_foreign_keys_without_index(read_catalog(session))
    assert [item.action for item in found] == [Action.NONE, Action.NONE]
    session.run("DELETE FROM parent WHERE id > 290")
    catalog = _until(session, lambda read: any(table.deleted for table in read.tables))
    by_table = {item.table: item for item in find_foreign_keys_without_index(catalog)}
    assert by_table["large"].action is Action.CREATE
    assert "the table has 0 rows, fewer than 10,000" in by_table["small"].reason


def test_upkeep_uses_the_thresholds_of_each_table(
    database: Callable[[], Connection],
) -> None:
    session = database()
    for name in ("fresh", "changed", "dead", "patient", "grown", "never"):
        options = " WITH (autovacuum_vacuum_threshold = 100000)" if name == "patient" else ""
        session.run(f"CREATE TABLE {name} (a int){options}")
        session.run(f"INSERT INTO {name} SELECT generate_series(1, 2000)")
        session.run("SELECT pg_stat_force_next_flush()")
        if name != "never":
            session.run(f"VACUUM ANALYZE {name}")
    session.run("UPDATE changed SET a = a + 1 WHERE a <= 300")
    session.run("DELETE FROM dead WHERE a <= 600")
    session.run("DELETE FROM patient WHERE a <= 600")
    session.run("INSERT INTO grown SELECT generate_series(1, 2000)")
    session.run("CREATE TABLE parts (a int) PARTITION BY RANGE (a)")
    session.run("CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9)")
    session.run("INSERT INTO parts VALUES (1)")
    session.run("SELECT pg_stat_force_next_flush()")
    session.run("VACUUM ANALYZE part")
    catalog = _until(session, lambda read: (_table(read, "grown").inserted_since_vacuum or 0) >= 2000)
    found = {(item.table, item.action) for item in find_upkeep(catalog)}
    assert found == {
        ("changed", Action.ANALYZE),
        ("dead", Action.ANALYZE),
        ("dead", Action.VACUUM),
        ("patient", Action.ANALYZE),
        ("grown", Action.ANALYZE),
        ("grown", Action.VACUUM),
        ("never", Action.ANALYZE),
        ("never", Action.VACUUM),
        ("parts", Action.ANALYZE),
    }


def test_index_that_replaces_another_is_not_dropped_as_unused(database: Callable[[], Connection]) -> None:
    session = database()
    session.run("CREATE TABLE t (a int, b int)")
    session.run("CREATE INDEX narrow ON t (a)")
    session.run("CREATE INDEX wide ON t (a, b)")
    session.run("CREATE INDEX alone ON t (b)")
    found = [item for item in find(read_catalog(session)) if item.index]
    said: dict[str, list[Finding]] = {}
    for item in found:
        said.setdefault(item.index or "", []).append(item)
    assert [item.kind for item in said["narrow"]] == [Kind.REDUNDANT_PREFIX]
    assert [(item.kind, item.action) for item in said["wide"]] == [(Kind.UNUSED, Action.NONE)]
    assert "it replaces another index" in (said["wide"][0].kept_because or "")
    assert "of the required 35 days" in (said["alone"][0].kept_because or "")


def test_reader_without_rights_names_what_it_could_not_read(server: Get) -> None:
    running = server(postgresql.WHEEL_18)
    with running.database("CREATE TABLE t (a int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "ANALYZE t") as name:
        with running.session(name) as session:
            session.run(f"CREATE ROLE looker LOGIN PASSWORD '{postgresql.PASSWORD}'")
        with running.session(name, "looker") as session:
            catalog = read_catalog(session, node="writer")
            assert [index.name for index in catalog.indexes] == ["t_pkey"]
            assert {"statements", "column_statistics"} <= catalog.not_read.keys()
            assert catalog.server.node == "writer"
        with running.session(name) as session:
            session.run("DROP ROLE looker")


def test_crash_counts_as_a_reset_of_the_counters(server: Get) -> None:
    server(postgresql.WHEEL_16)
    with postgresql.start_wheel_16() as running, running.session() as session:
        session.run("CREATE TABLE t (a int PRIMARY KEY)")
        before = read_catalog(session).server
        running.restart()
        with running.session() as again:
            kept = read_catalog(again).server
        running.restart(crash=True)
        with running.session() as again:
            lost = read_catalog(again).server
    assert kept.counted_since == before.counted_since
    assert before.counted_since is not None
    assert lost.counted_since is not None
    assert lost.counted_since > before.counted_since


def test_locked_table_is_left_out_and_named(
    database: Callable[[], Connection],
) -> None:
    session, other = database(), database()
    session.run("CREATE TABLE t (a int PRIMARY KEY)")
    session.run("CREATE TABLE u (a int PRIMARY KEY)")
    other.run("BEGIN")
    other.run("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    started = time.monotonic()
    catalog = read_catalog(session)
    assert [table.name for table in catalog.tables] == ["u"]
    assert [index.name for index in catalog.indexes] == ["u_pkey"]
    assert "public.t" in catalog.not_read["tables"]
    assert time.monotonic() - started < 3
    other.run("ROLLBACK")


def _table(catalog: Catalog, name: str) -> Table:
    return next(table for table in catalog.tables if table.name == name)


def _until(session: Connection, ready: Callable[[Catalog], bool], within_s: float = 15.0) -> Catalog:
    deadline = time.monotonic() + within_s
    while True:
        catalog = read_catalog(session)
        if ready(catalog) or time.monotonic() > deadline:
            assert ready(catalog)
            return catalog
        time.sleep(0.1)


def _watched(catalog: Catalog, **last: datetime) -> tuple[Catalog, list[UsageSnapshot]]:
    """Return the catalog as of a server whose counters began in 2020 and whose tables are read all the time, and the
    look of 130 days ago, which saw the same."""
    catalog = replace(catalog, server=replace(catalog.server, counted_since=datetime(2020, 1, 1, tzinfo=UTC), **last))
    before = take_snapshot(replace(catalog, server=replace(catalog.server, read_at=_days_before(catalog, 130))))
    tables = tuple(replace(table, sequential_scans=10_000_000) for table in catalog.tables)
    return replace(catalog, tables=tables), [before]


def _days_before(catalog: Catalog, days: int) -> datetime:
    return catalog.server.read_at - timedelta(days=days)


def test_age_of_an_index_is_not_that_of_the_counters(database: Callable[[], Connection]) -> None:
    """A new index, a new one under an old name, one of a table that was swapped in, one of a table loaded today."""
    session = database()
    for name in ("made", "rebuilt", "swapped", "old"):
        session.run(f"CREATE TABLE {name} (a int, b int)")
        session.run(f"CREATE INDEX {name}_b ON {name} (b)")
    session.run("DROP INDEX made_b")
    catalog, looks = _watched(read_catalog(session))
    assert {item.index for item in find_unused(catalog, looks) if item.action is Action.DROP} == {
        "rebuilt_b",
        "swapped_b",
        "old_b",
    }
    # Without an earlier look nothing is known, however old the counters are.
    assert {item.action for item in find_unused(catalog)} == {Action.NONE}
    session.run("CREATE INDEX made_b ON made (b)")
    session.run("DROP INDEX rebuilt_b")
    session.run("CREATE INDEX rebuilt_b ON rebuilt (b)")
    session.run("CREATE TABLE other (a int, b int)")
    session.run("DROP TABLE swapped")
    session.run("ALTER TABLE other RENAME TO swapped")
    session.run("CREATE INDEX swapped_b ON swapped (b)")
    session.run("CREATE TABLE loaded (a int, b int)")
    session.run("CREATE INDEX loaded_b ON loaded (b)")
    session.run("REINDEX INDEX old_b")
    now, _ = _watched(read_catalog(session))
    found = {item.index: item for item in find_unused(now, looks)}
    assert {name for name, item in found.items() if item.action is Action.DROP} == {"old_b"}
    assert {item.evidence["days"] for name, item in found.items() if name != "old_b"} == {0.0}


def test_use_of_an_index_that_its_method_may_not_count_is_unknown(database: Callable[[], Connection]) -> None:
    session = database()
    session.run("CREATE TABLE t (a int, b int)")
    session.run("CREATE INDEX i ON t (a)")
    catalog, looks = _watched(read_catalog(session))
    assert [item.action for item in find_unused(catalog, looks)] == [Action.DROP]
    foreign = replace(catalog, indexes=tuple(replace(index, method="pgroonga") for index in catalog.indexes))
    (finding,) = find_unused(foreign, looks)
    assert finding.action is Action.NONE
    assert "pgroonga" in (finding.kept_because or "")


def test_partitioned_index_is_unused_if_all_its_parts_are(database: Callable[[], Connection]) -> None:
    session = database()
    session.run("CREATE TABLE t (a int, b int, c int) PARTITION BY RANGE (a)")
    for part in (0, 1):
        session.run(f"CREATE TABLE t{part} PARTITION OF t FOR VALUES FROM ({part}) TO ({part + 1})")
    session.run("CREATE INDEX used ON t (b)")
    session.run("CREATE INDEX idle ON t (c)")
    session.run("SET enable_seqscan = off")
    session.run("SELECT * FROM t WHERE a = 1 AND b = 1")
    session.run("SELECT pg_stat_force_next_flush()")
    catalog = _until(session, lambda read: any(index.scans for index in read.indexes))
    assert {item.index for item in find_unused(catalog)} == {"idle"}
    (finding,) = find_unused(*_watched(catalog))
    assert (finding.index, finding.action) == ("idle", Action.DROP)
    assert finding.saves_bytes == 2 * 8192


@pytest.mark.parametrize(
    ("make", "kept"),
    [
        ("CREATE UNIQUE INDEX i ON t (a)", "uniqueness"),
        ("CREATE INDEX i ON t (lower(b))", "expression"),
        ("CREATE INDEX i ON t (p)", "foreign key"),
        ("CREATE INDEX i ON t (p, a)", "foreign key"),
        ("ALTER TABLE t ADD CONSTRAINT i EXCLUDE USING gist (during WITH &&)", "exclusion constraint"),
        ("CREATE INDEX i ON t (a)", None),
        ("CREATE INDEX i ON t (b) WHERE a > 0", None),
    ],
)
def test_index_with_a_purpose_beside_scans_is_kept(server: Get, make: str, kept: str | None) -> None:
    running = server(postgresql.WHEEL_18)
    table = "CREATE TABLE t (a int, b text, p int REFERENCES parent, during int4range)"
    with (
        running.database("CREATE TABLE parent (id int PRIMARY KEY)", table, make) as name,
        running.session(name) as one,
    ):
        catalog = read_catalog(one)
    (finding,) = find_unused(*_watched(catalog))
    assert (finding.action is Action.DROP) == (kept is None)
    assert kept is None or kept in (finding.kept_because or "")
