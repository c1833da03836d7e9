"""Count the pages of indexes with the extension pgstattuple, which reads each btree as a whole."""

import time
from collections.abc import Sequence

from pg8000.exceptions import DatabaseError

from optimizer.indexes.model.catalog import Index, IndexPages
from optimizer.indexes.postgresql.reader import Queries, extension_schema, message, read_only_snapshot

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
