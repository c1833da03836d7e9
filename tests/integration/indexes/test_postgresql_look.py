"""Test a look at a database with every problem, as the planner and the command line read it."""

from collections.abc import Callable
from dataclasses import replace

from local_account.servers import Installation, postgresql
from local_account.servers.postgresql import PostgresServer
from optimizer.indexes.detect import detect_findings
from optimizer.indexes.model.finding import Action, Kind
from optimizer.indexes.postgresql.bloat import BloatLimits
from optimizer.indexes.postgresql.look import look
from optimizer.policy.model import Indexes

Get = Callable[[Installation[PostgresServer]], PostgresServer]
MAKE = (
    "CREATE EXTENSION pgstattuple",
    "CREATE EXTENSION hypopg",
    "CREATE EXTENSION pg_stat_statements",
    "CREATE TABLE orders (id int PRIMARY KEY, customer int, note text, tags int[])",
    "INSERT INTO orders SELECT g, g % 3000, md5(g::text), ARRAY[g] FROM generate_series(1, 60000) g",
    "CREATE INDEX worn ON orders (note)",
    "CREATE INDEX again ON orders (id)",
    "CREATE INDEX slow_list ON orders USING gin (tags)",
    "DELETE FROM orders WHERE id % 5 <> 0",
    "VACUUM ANALYZE orders",
)


def test_look_counts_pages_and_proves_missing_indexes(server: Get) -> None:
    running = server(postgresql.DEBIAN_15)
    with running.database(*MAKE) as name, running.session(name) as session:
        for customer in range(40):
            session.run("SELECT count(note), pg_sleep(0.001) FROM orders WHERE customer = :c", c=customer)
        catalog = look(session, limits=BloatLimits(least_bytes=2**20))
        assert not {"pages", "plans"} & catalog.not_read.keys()
        once = Indexes(min_bloat_mb=1, rebuild_after_runs=1)
        found = {(item.kind, item.index): item for item in detect_findings([catalog], once)}
        waits = {
            (item.kind, item.index): item for item in detect_findings([catalog], replace(once, rebuild_after_runs=2))
        }
    worn = found[Kind.BLOATED, "worn"]
    assert (worn.action, worn.evidence["method"]) == (Action.REINDEX, "pgstatindex")
    assert waits[Kind.BLOATED, "worn"].action is Action.NONE
    assert found[Kind.DUPLICATE, "again"].covered_by == "orders_pkey"
    assert found[Kind.MISSING_INDEX, None].evidence["columns"] == ["customer"]
    slow = next(index for index in catalog.indexes if index.name == "slow_list")
    assert catalog.pages[slow.oid or 0].pending_pages is not None
