"""Tells whether every value of a column fits into an index of PostgreSQL. Pure.

A btree entry holds about a third of a page, after compression. Statistics do not show the longest value: ANALYZE leaves
long ones out. But a row of more than a quarter of a page is compressed, and its longest values are moved to the TOAST
table, so a table whose TOAST table is empty has no value that is too long for an entry.
"""

from collections.abc import Sequence

from optimizer.indexes.model import Catalog, Table

_PAGE_HEADER, _SPECIAL, _ITEM = 40, 16, 8
# The header of an entry with a bitmap of NULLs.
_ENTRY_HEADER = 16


def most_entry_bytes(block_bytes: int) -> int:
    """Return the most bytes of one btree entry: three must fit on a page."""
    return (block_bytes - _PAGE_HEADER - _SPECIAL) // 3 // 8 * 8 - _ITEM


def find_long_columns(catalog: Catalog, table: Table, columns: Sequence[str]) -> list[str]:
    """Return the columns of which some value may be too long for a btree entry on all of them."""
    keys = [column for column in table.columns if column.name in columns]
    allowed = most_entry_bytes(catalog.server.block_bytes) - _ENTRY_HEADER
    unbounded = [column for column in keys if column.most_bytes is None or column.most_bytes > allowed]
    if not unbounded and sum(column.most_bytes or 0 for column in keys) <= allowed:
        return []
    if not _may_have_moved(catalog, table) and not any(column.stays_in_row for column in keys):
        return []
    return [column.name for column in unbounded or keys]


def _may_have_moved(catalog: Catalog, table: Table) -> bool:
    """Tell whether the table or one of its partitions has values outside of its rows, or may keep long ones inside."""
    leaves = [one for one in catalog.tables if one.parent_oid == table.oid and table.oid is not None]
    if leaves:
        return any(_may_have_moved(catalog, leaf) for leaf in leaves)
    return table.toast_bytes != 0 or "toast_tuple_target" in table.options
