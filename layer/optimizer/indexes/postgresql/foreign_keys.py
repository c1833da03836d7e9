"""Find PostgreSQL foreign keys without an index on the referencing side.

To delete or re-key a parent row PostgreSQL looks for its children by equality on all columns of the key. A btree whose
first keys are those columns in any order serves this lookup, also if it is partial on the columns being not NULL.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from optimizer.core import Risk
from optimizer.indexes.model import Action, Catalog, Finding, ForeignKey, Index, KeyPart, Kind, Table, about_table

# A smaller child table is read quickly without an index.
_CHILD_ROWS = 10_000.0
# An index on some of the columns is enough if no more rows share a value.
_ROWS_A_VALUE = 100.0


def find_foreign_keys_without_index(catalog: Catalog) -> list[Finding]:
    """Return a finding for each foreign key whose columns lead no index; its action is NONE, with the reason, if an
    index would not pay now."""
    tables = {table.oid: table for table in catalog.tables}
    parts: dict[int | None, list[Table]] = defaultdict(list)
    for table in catalog.tables:
        parts[table.parent_oid].append(table)
    found: dict[tuple[str, str | None], Finding] = {}
    usable: dict[int | None, list[Index]] = defaultdict(list)
    for index in catalog.indexes:
        if index.is_valid and index.is_ready and index.is_live:
            usable[index.table_oid].append(index)
    for key in catalog.foreign_keys:
        child, parent = tables.get(key.table_oid), tables.get(key.parent_oid)
        if child is None or child.extension is not None or not key.is_enforced:
            continue
        indexes = usable[key.table_oid]
        leaves = _leaves(child, parts)
        if any(serves(index, key, child) for index in indexes) or (
            # The check is planned for each partition by itself.
            leaves != [child] and all(any(serves(index, key, leaf) for index in usable[leaf.oid]) for leaf in leaves)
        ):
            continue
        finding = _finding(catalog, key, child, parent, indexes)
        same = finding.schema + "." + (finding.table or ""), finding.statement
        found[same] = _merged(found[same], finding) if same in found else finding
    return list(found.values())


def _leaves(table: Table, parts: Mapping[int | None, list[Table]]) -> list[Table]:
    """Return the table itself or, if it has partitions, those that have storage."""
    return [leaf for part in parts[table.oid] for leaf in _leaves(part, parts)] or [table]


def _merged(first: Finding, second: Finding) -> Finding:
    """Return one finding for two foreign keys that one index would serve: that which is proposed now, if one is."""
    chosen, other = (second, first) if first.action is Action.NONE else (first, second)
    name = other.evidence["foreign_key"]
    also = [*chosen.evidence.get("also_for", ()), name, *other.evidence.get("also_for", ())]
    return replace(
        chosen, reason=f"{chosen.reason} It would serve {name}, too.", evidence={**chosen.evidence, "also_for": also}
    )


def serves(index: Index, key: ForeignKey, child: Table) -> bool:
    """Tell whether the lookup of the children of one parent row can use the index on all columns of the key."""
    columns = set(key.columns[:-1] if key.has_period else key.columns)
    if index.method not in ("btree", *(("gist",) if key.has_period else ())):
        return False
    leading = index.keys[: len(columns)]
    return {part.column for part in leading} == columns and _collates(leading, child) and _has_all_rows(index, key)


def find_supported_foreign_key(index: Index, keys: Iterable[ForeignKey]) -> ForeignKey | None:
    """Return a foreign key of the table whose columns include the first key of the index, or None.

    Such an index also serves the checks on the parent, which may be rare.
    """
    first = index.keys[0].column if index.keys else None
    return next((key for key in keys if first in key.columns), None)


def _collates(leading: tuple[KeyPart, ...], child: Table) -> bool:
    """Tell whether the keys have the collations of their columns, in which the lookup compares."""
    collations = {column.name: column.collation for column in child.columns}
    return all(part.column is None or part.collation == collations.get(part.column) for part in leading)


def _has_all_rows(index: Index, key: ForeignKey) -> bool:
    if index.predicate is None:
        return True
    allowed = {f"{part.text} IS NOT NULL" for part in index.keys if part.column in key.columns}
    conditions = {condition.strip("() ") for condition in index.predicate.split(" AND ")}
    return conditions <= allowed


def _finding(
    catalog: Catalog,
    key: ForeignKey,
    child: Table,
    parent: Table | None,
    indexes: list[Index],
) -> Finding:
    columns = ", ".join(key.columns)
    changes = None if parent is None else (parent.deleted or 0) + (parent.updated or 0)
    because = _why_not_now(key, child, changes, indexes)
    reason = (
        f"No index begins with the columns of the foreign key {key.name} ({columns}): PostgreSQL reads the whole table "
        f"for each row of {key.parent_table} that is deleted or re-keyed"
    )
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
        reason + (f". Nothing is proposed now, because {because}." if because else "."),
        Risk.LOW if because else Risk.MEDIUM,
        evidence=evidence,
        statement=key.index_statement,
    )


def _why_not_now(key: ForeignKey, child: Table, changes: int | None, indexes: list[Index]) -> str | None:
    helper = _partial_help(key, child, indexes)
    if helper is not None:
        return f"{helper.name} leaves only a few rows to read for each lookup"
    rows = child.rows if child.rows is not None else child.live_rows
    if rows is not None and rows < _CHILD_ROWS:
        return f"the table has {rows:,.0f} rows, fewer than {_CHILD_ROWS:,.0f}"
    if changes == 0:
        return "no row of the parent was changed or deleted since the counters were cleared"
    return None


def _partial_help(key: ForeignKey, child: Table, indexes: list[Index]) -> Index | None:
    """Return an index (btree or hash) whose first key alone leaves few enough rows to read, or None."""
    distinct = {column.name: column.distinct for column in child.columns}
    for index in indexes:
        column = index.keys[0].column if index.keys else None
        if index.method not in ("btree", "hash") or index.predicate is not None or column not in key.columns:
            continue
        if index.method == "hash" and len(key.columns) == 1:
            return index
        values = distinct.get(column)
        if values and child.rows is not None and child.rows / values <= _ROWS_A_VALUE:
            return index
    return None
