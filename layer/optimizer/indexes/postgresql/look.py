"""Read a PostgreSQL database: its catalog, the pages of indexes that seem bloated, and the indexes that its planner
would use for frequent statements. Changes nothing."""

from dataclasses import replace

from pg8000.native import Connection

from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.postgresql.bloat import BloatLimits, choose_indexes_to_measure
from optimizer.indexes.postgresql.missing import find_missing_indexes
from optimizer.indexes.postgresql.pages import measure_pages
from optimizer.indexes.postgresql.reader import read_catalog


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
        not_read["plans"] = _first(unplanned)
    return replace(catalog, pages=pages, further=tuple(further), not_read=not_read)


def _first(failed: dict[str, str]) -> str:
    """Return the first reason and the number of the others."""
    name, reason = next(iter(failed.items()))
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{name}: {reason}{others}"
