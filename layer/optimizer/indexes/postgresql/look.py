"""Read a PostgreSQL database: its catalog, the pages of indexes that seem bloated, and the indexes that its planner
would use for frequent statements. Changes nothing."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

from optimizer.indexes.model.catalog import Catalog, Index, IndexPages
from optimizer.indexes.postgresql.bloat import BloatLimits, choose_indexes_to_measure
from optimizer.indexes.postgresql.missing import describe_untrusted, find_missing_indexes
from optimizer.indexes.postgresql.reader import Queries, extension_schema, message, read_catalog, read_only_snapshot


def look(connection: Connection, *, node: str | None = None, limits: BloatLimits | None = None) -> Catalog:
    """Return the catalog with `pages` and `further`; `not_read` says what is missing. Raise what read_catalog
    raises."""
    catalog = read_catalog(connection, node=node)
    not_read = dict(catalog.not_read)
    # A replica has the same pages as its writer, where they are counted.
    chosen = [] if catalog.server.is_replica else choose_indexes_to_measure(catalog, limits)
    pages, uncounted = measure_pages(connection, chosen)
    further, unplanned = find_missing_indexes(connection, catalog)
    if uncounted:
        not_read["pages"] = _first(uncounted)
    if unplanned:
        not_read["plans"] = count_reasons(unplanned)
    if untrusted := describe_untrusted(catalog):
        not_read["plans_of_other_roles"] = untrusted
    return replace(catalog, pages=pages, further=tuple(further), not_read=not_read)


def count_reasons(failed: Mapping[str, str]) -> str:
    """Return each reason once, with the number of statements that it holds for and the key of one of them."""
    one = {reason: key for key, reason in reversed(list(failed.items()))}
    counted = Counter(failed.values()).most_common()
    return "; ".join(
        f"{number} {'statement' if number == 1 else 'statements'} (such as {one[reason]}): {reason}"
        for reason, number in counted
    )


def _first(failed: dict[str, str]) -> str:
    """Return the first reason and the number of the others."""
    name, reason = next(iter(failed.items()))
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{name}: {reason}{others}"


_BTREE = """
SELECT
  pg_relation_filenode(CAST(:oid AS oid))::bigint,
  s.index_size,
  s.internal_pages,
  s.leaf_pages,
  s.avg_leaf_density
FROM {schema}.pgstatindex(CAST(CAST(:oid AS oid) AS regclass)) s"""
_GIN = """
SELECT
  pg_relation_filenode(CAST(:oid AS oid))::bigint,
  pg_relation_size(CAST(:oid AS oid)),
  s.pending_pages
FROM {schema}.pgstatginindex(CAST(CAST(:oid AS oid) AS regclass)) s"""


def measure_pages(
    connection: Queries, indexes: Sequence[Index], *, statement_timeout_s: int = 60, within_s: float = 120.0
) -> tuple[dict[int, IndexPages], dict[str, str]]:
    """Return the page counts of indexes by oid, and by name the reasons for indexes that could not be read.

    Reasons are that the extension or the role pg_stat_scan_tables is missing, that the index no longer exists, or that
    the time was over.
    """
    measured: dict[int, IndexPages] = {}
    failed: dict[str, str] = {}
    deadline = time.monotonic() + within_s
    for index in indexes:
        if time.monotonic() > deadline:
            failed[f"{index.schema}.{index.name}"] = f"not counted: the other indexes took the whole {within_s:.0f} s"
            continue
        try:
            with read_only_snapshot(connection, statement_timeout_s):
                schema = extension_schema(connection, "pgstattuple")
                if not schema:
                    return {}, {"pgstattuple": "the extension pgstattuple is not installed in this database"}
                found = _measure(connection, index, schema)
        except DatabaseError as error:
            failed[f"{index.schema}.{index.name}"] = message(error)
        else:
            measured[found.oid] = found
    return measured, failed


def _measure(connection: Queries, index: Index, schema: str) -> IndexPages:
    query = (_GIN if index.method == "gin" else _BTREE).format(schema=schema)
    rows = connection.run(query, oid=index.oid) or []
    file_node, size, *pages = rows[0]
    oid = index.oid or 0
    if index.method == "gin":
        return IndexPages(oid, file_node, size, pending_pages=pages[0])
    internal, leaf, density = pages
    # The density of an index without entries is NaN.
    known = float(density) if density == density else None
    return IndexPages(oid, file_node, size, internal, leaf, known)
