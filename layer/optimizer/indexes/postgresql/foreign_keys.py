"""Foreign keys of PostgreSQL whose referencing side has no index.

Deleting or re-keying a parent row looks for its children by equality on all columns of the key, in any order: a btree
whose first keys are those columns serves, also one that is partial only in that the columns are not NULL.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from optimizer.core import Risk
from optimizer.indexes.model.catalog import Catalog, ForeignKey, Index, KeyPart, Table
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.new_finding import about_table

_REWRITES_CHILDREN = {"CASCADE", "SET NULL", "SET DEFAULT"}


@dataclass(frozen=True, slots=True)
class ForeignKeyLimits:
    """A child table of fewer than `child_rows` rows is read as a whole faster than it is worth an index; an index on
    some of the columns does, if it leaves no more than `rows_a_value` rows to look through."""

    child_rows: float = 10_000
    rows_a_value: float = 100


def find_foreign_keys_without_index(catalog: Catalog, limits: ForeignKeyLimits | None = None) -> list[Finding]:
    """A finding for each foreign key whose columns no index leads with; its action is NONE where an index would not pay
    now, with the reason."""
    limits = limits or ForeignKeyLimits()
    tables = {table.oid: table for table in catalog.tables}
    found = []
    usable: dict[int | None, list[Index]] = defaultdict(list)
    for index in catalog.indexes:
        if index.is_valid and index.is_ready and index.is_live:
            usable[index.table_oid].append(index)
    for key in catalog.foreign_keys:
        child, parent = tables.get(key.table_oid), tables.get(key.parent_oid)
        if child is None or child.extension is not None or not key.is_enforced:
            continue
        indexes = usable[key.table_oid]
        if not any(serves(index, key, child) for index in indexes):
            found.append(_finding(catalog, key, child, parent, indexes, limits))
    return found


def serves(index: Index, key: ForeignKey, child: Table) -> bool:
    """Whether looking up the children of one parent row uses the index on all columns of the key."""
    columns = set(key.columns[:-1] if key.has_period else key.columns)
    if index.method not in ("btree", *(("gist",) if key.has_period else ())):
        return False
    leading = index.keys[: len(columns)]
    return {part.column for part in leading} == columns and _collates(leading, child) and _has_all_rows(index, key)


def find_supported_foreign_key(index: Index, keys: Iterable[ForeignKey]) -> ForeignKey | None:
    """One of the foreign keys of the index's table whose columns, or the first of them, the index leads with: it then
    also serves the checks on the parent, which may be rare."""
    first = index.keys[0].column if index.keys else None
    return next((key for key in keys if first in key.columns), None)


def _collates(leading: tuple[KeyPart, ...], child: Table) -> bool:
    """Equality is looked up in the column's own collation."""
    collations = {column.name: column.collation for column in child.columns}
    return all(part.column is None or part.collation == collations.get(part.column) for part in leading)


def _has_all_rows(index: Index, key: ForeignKey) -> bool:
    if index.predicate is None:
        return True
    wanted = {f"{part.text} IS NOT NULL" for part in index.keys if part.column in key.columns}
    conditions = {condition.strip("() ") for condition in index.predicate.split(" AND ")}
    return conditions <= wanted


def _finding(
    catalog: Catalog,
    key: ForeignKey,
    child: Table,
    parent: Table | None,
    indexes: list[Index],
    limits: ForeignKeyLimits,
) -> Finding:
    columns = ", ".join(key.columns)
    changes = None if parent is None else (parent.deleted or 0) + (parent.updated or 0)
    because = _why_not_now(key, child, changes, indexes, limits)
    scans = "each deleted or re-keyed row of it makes PostgreSQL read this whole table"
    reason = f"The foreign key {key.name} ({columns}) to {key.parent_table} has no index that begins with its columns: "
    evidence = {
        "foreign_key": key.name,
        "columns": list(key.columns),
        "parent": f"{key.parent_schema}.{key.parent_table}",
        "child_rows": child.rows,
        "parent_rows_changed": changes,
        "on_delete": key.on_delete,
        "on_update": key.on_update,
    }
    return about_table(
        catalog,
        child,
        Kind.FOREIGN_KEY_WITHOUT_INDEX,
        Action.NONE if because else Action.CREATE,
        reason + scans + (f". Nothing is proposed now, because {because}." if because else "."),
        Risk.LOW if because else Risk.MEDIUM,
        evidence=evidence,
        statement=key.index_statement,
    )


def _why_not_now(
    key: ForeignKey, child: Table, changes: int | None, indexes: list[Index], limits: ForeignKeyLimits
) -> str | None:
    partly = _partly(key, child, indexes, limits)
    if partly is not None:
        return f"{partly.name} finds all but a few rows of it"
    rows = child.rows if child.rows is not None else child.live_rows
    if rows is not None and rows < limits.child_rows:
        return f"the table has {rows:.0f} rows only"
    if changes == 0:
        return "no row of the parent was changed or deleted since the counters were cleared"
    return None


def _partly(key: ForeignKey, child: Table, indexes: list[Index], limits: ForeignKeyLimits) -> Index | None:
    """An index on the first of its own keys only, or a hash, which leaves few enough rows to look through."""
    distinct = {column.name: column.distinct for column in child.columns}
    for index in indexes:
        column = index.keys[0].column if index.keys else None
        if index.method not in ("btree", "hash") or index.predicate is not None or column not in key.columns:
            continue
        if index.method == "hash" and len(key.columns) == 1:
            return index
        values = distinct.get(column)
        if values and child.rows is not None and child.rows / values <= limits.rows_a_value:
            return index
    return None
