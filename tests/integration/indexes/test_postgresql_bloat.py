"""Compare the bloat from statistics and from page counts with what a rebuild frees."""

from collections.abc import Callable, Iterator

import pytest
from local_account.servers import Installation, postgresql
from local_account.servers.postgresql import PostgresServer
from optimizer.indexes.model.catalog import Index, IndexPages
from optimizer.indexes.postgresql.bloat import BloatLimits, choose_indexes_to_measure, estimate_bloat
from optimizer.indexes.postgresql.look import measure_pages
from optimizer.indexes.postgresql.reader import read_catalog
from pg8000.native import Connection

Get = Callable[[Installation[PostgresServer]], PostgresServer]
WITHIN = 0.05
TABLE = """
CREATE TABLE t AS SELECT g AS id, g AS id_again, g % 20 AS few, CASE WHEN g % 2 = 0 THEN g END AS half_null,
  CASE WHEN g % 2 = 0 THEN g % 30 END AS half_null_few, md5(g::text) AS hash,
  repeat('x', ((g::bigint * 7919) % 40)::int) || g AS words, 'user' || g % 3000 || '@example.com' AS mail,
  (g * 7 % 1000) AS middling, (g / 7.0)::numeric(12, 3) AS price, now() - g * interval '1 second' AS at
FROM generate_series(1, 50000) g"""
INDEXES = (
    "CREATE UNIQUE INDEX ON t (id)",
    *(f"CREATE INDEX ON t ({column})" for column in
      ("id_again", "few", "half_null", "half_null_few", "hash", "words", "mail", "middling", "price", "lower(mail)")),
    "CREATE INDEX ON t (at) WITH (fillfactor = 70)",
    "CREATE INDEX ON t (few, at)",
    "CREATE INDEX ON t (few) INCLUDE (words)",
    "CREATE INDEX ON t (mail) WITH (deduplicate_items = off)",
)  # fmt: skip
DELETES = {
    "fresh": "",
    "four of five rows deleted at random": "DELETE FROM t WHERE hashint4(id) % 5 <> 0",
    "the older three quarters deleted": "DELETE FROM t WHERE id <= 37500",
    "half of the texts deleted in their order": "DELETE FROM t WHERE hash < '8'",
}


@pytest.fixture(params=postgresql.INSTALLATIONS, ids=lambda known: known.name)
def session(server: Get, request: pytest.FixtureRequest) -> Iterator[Connection]:
    running = server(request.param)
    with running.database() as name, running.session(name) as connection:
        yield connection


@pytest.mark.parametrize("deletes", DELETES.values(), ids=DELETES)
def test_bloat_estimate_is_within_five_points_of_a_rebuild(session: Connection, deletes: str) -> None:
    for statement in (TABLE, *INDEXES):
        session.run(statement)
    if deletes:
        session.run(deletes)
    session.run("VACUUM ANALYZE t")
    measured: dict[int, IndexPages] = {}
    if _has_pgstattuple(session):
        session.run('CREATE SCHEMA "Ext 1"')
        session.run('CREATE EXTENSION pgstattuple SCHEMA "Ext 1"')
        measured, failed = measure_pages(session, read_catalog(session).indexes)
        assert not failed
    before = read_catalog(session)
    session.run("REINDEX TABLE t")
    after = {index.oid: index.size_bytes or 0 for index in read_catalog(session).indexes}
    wrong = {}
    for index in before.indexes:
        frees = 1 - after[index.oid] / (index.size_bytes or 1)
        for kind, said in _estimates(index, measured):
            if abs(said - frees) > WITHIN:
                wrong[index.name, kind] = (round(said, 3), round(frees, 3))
    assert not wrong


PART = """
CREATE TABLE p WITH (autovacuum_enabled = false) AS
SELECT g AS id, CASE WHEN g % 4 = 0 THEN md5(g::text) END AS ext_ref, CASE WHEN g % 3 = 0 THEN g % 7 END AS few,
  CASE WHEN g % 20 = 0 THEN 'open' ELSE 'done' END AS state, g % 500 AS customer, g % 5 = 0 AS is_rare,
  (ARRAY['EUR', 'USD', 'GBP', 'CHF', 'SEK'])[1 + g % 5]::char(3) AS currency, repeat('w', g % 50) AS words
FROM generate_series(1, 120000) g"""
CLAIMED = (
    "CREATE INDEX ON p (ext_ref) WHERE ext_ref IS NOT NULL",
    "CREATE INDEX ON p (few) WHERE few IS NOT NULL",
    "CREATE INDEX ON p (few) WHERE (few) IS NOT NULL",
    "CREATE UNIQUE INDEX ON p (id) WHERE state = 'done'",
    "CREATE INDEX ON p (id) WITH (deduplicate_items = off) WHERE is_rare",
)
NOT_CLAIMED = (
    # One row of twenty: ANALYZE counts about 1,500 of them, give or take one of twenty.
    "CREATE UNIQUE INDEX ON p (id) WHERE state = 'open'",
    "CREATE INDEX ON p (customer) WHERE state = 'open'",
    "CREATE INDEX ON p (state) WHERE is_rare",
    "CREATE INDEX ON p (words) WITH (deduplicate_items = off) WHERE is_rare",
    "CREATE INDEX ON p (ext_ref, few) WHERE ext_ref IS NOT NULL",
    "CREATE INDEX ON p (few) WHERE ext_ref IS NOT NULL",
    "CREATE INDEX ON p (currency)",
    "CREATE INDEX ON p (id, currency)",
)


def test_bloat_is_claimed_from_statistics_only_where_they_can_tell(session: Connection) -> None:
    """Statistics are of the whole table, and the builds of a version differ in what they do with char(n)."""
    for statement in (PART, *CLAIMED, *NOT_CLAIMED, "VACUUM ANALYZE p"):
        session.run(statement)
    said = {index.definition: estimate_bloat(index, 8192) for index in read_catalog(session).indexes}
    claimed = {definition: bloat.share for definition, bloat in said.items() if bloat is not None}
    assert len(claimed) == len(CLAIMED)
    assert {definition: share for definition, share in claimed.items() if share > WITHIN} == {}


def test_rows_counted_in_a_smaller_table_claim_no_bloat(session: Connection) -> None:
    """The counters that tell of changed rows may be cleared; the sizes of table and count stay."""
    session.run("CREATE TABLE g (id int) WITH (autovacuum_enabled = false)")
    session.run("INSERT INTO g SELECT generate_series(1, 20000)")
    session.run("CREATE INDEX i ON g (id)")
    session.run("VACUUM ANALYZE g")
    (index,) = read_catalog(session).indexes
    assert estimate_bloat(index, 8192) is not None
    session.run("INSERT INTO g SELECT generate_series(20001, 90000)")
    session.run("SELECT pg_stat_reset()")
    (index,) = read_catalog(session).indexes
    assert estimate_bloat(index, 8192) is None
    catalog = read_catalog(session)
    limits = BloatLimits(least_bytes=1 << 20)
    assert [index.name for index in choose_indexes_to_measure(catalog, limits)] == ["i"]


def test_missing_extension_is_named_instead_of_page_counts(server: Get) -> None:
    running = server(postgresql.WHEEL_16)
    with running.database("CREATE TABLE t (a int PRIMARY KEY)") as name, running.session(name) as connection:
        catalog = read_catalog(connection)
        assert measure_pages(connection, catalog.indexes) == (
            {},
            {"pgstattuple": "the extension pgstattuple is not installed in this database"},
        )


def _estimates(index: Index, measured: dict[int, IndexPages]) -> Iterator[tuple[str, float]]:
    for pages in (None, measured.get(index.oid or 0)):
        bloat = estimate_bloat(index, 8192, pages)
        if pages is None or index.oid in measured:
            assert bloat is not None, index.name
            yield bloat.method, bloat.share


def _has_pgstattuple(session: Connection) -> bool:
    rows = session.run("SELECT count(*) FROM pg_available_extensions WHERE name = 'pgstattuple'")
    return bool(rows[0][0])
