"""Finds duplicate and redundant indexes of MySQL and MariaDB. Pure.

The indexes of a table are decided together: of two that cover each other one always stays, and so does one of two that
make each other's keys unique.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from optimizer.core import Risk
from optimizer.indexes.model import (
    Action,
    Catalog,
    Constraint,
    Finding,
    ForeignKey,
    Index,
    choose_dropped,
    covered_finding,
    kept_beside,
)
from optimizer.indexes.mysql.cover import (
    TableContext,
    have_same_keys,
    implies_unique,
    looks_covered,
    why_never_dropped,
    why_not_covered,
)
from optimizer.indexes.mysql.hints import (
    find_hinted_indexes,
    find_ordered_statements,
    names_in,
    needs_order_of,
    why_hints_unknown,
)


def gather_tables(catalog: Catalog) -> list[TableContext]:
    """Return each table with all that decides about its indexes."""
    indexes: dict[tuple[str, str], list[Index]] = defaultdict(list)
    for index in catalog.indexes:
        indexes[index.qualified_table].append(index)
    own: dict[tuple[str, str], list[ForeignKey]] = defaultdict(list)
    referencing: dict[tuple[str, str], list[ForeignKey]] = defaultdict(list)
    for key in catalog.foreign_keys:
        own[key.schema, key.table].append(key)
        referencing[key.parent_schema, key.parent_table].append(key)
    unknown = {schema: why_hints_unknown(catalog, schema) for schema in {table.schema for table in catalog.tables}}
    hints, ordered = find_hinted_indexes(catalog), find_ordered_statements(catalog)
    return [
        TableContext(
            engine=catalog.server.engine,
            table=table,
            indexes=tuple(indexes[table.qualified]),
            foreign_keys=tuple(own[table.qualified]),
            referencing=tuple(referencing[table.qualified]),
            hints=hints.get(table.qualified, {}),
            ordered=ordered.get(table.qualified, ()),
            hints_unknown=unknown[table.schema],
        )
        for table in catalog.tables
    ]


def find_redundant(catalog: Catalog) -> list[Finding]:
    """Return a finding for each index that another one covers, and for each that only looks covered."""
    return [finding for context in gather_tables(catalog) for finding in _find_in_table(catalog, context)]


def _find_in_table(catalog: Catalog, context: TableContext) -> list[Finding]:
    covering = {index.name: _covering(index, context) for index in context.indexes}
    dropped = _choose_dropped(context, covering)
    found: list[Finding] = []
    for index in context.indexes:
        if index.name in dropped:
            staying = [other for other in covering[index.name] if other.name not in dropped]
            nearest = min(staying, key=lambda other: _distance(index, other))
            found.append(_superfluous(catalog, index, nearest, context))
        else:
            found += _kept(catalog, index, context, dropped)
    return found


def _covering(index: Index, context: TableContext) -> list[Index]:
    return [
        other
        for other in context.indexes
        if other is not index
        and why_not_covered(index, other, context) is None
        and _sorted_by_primary(index, other, context) is None
    ]


def _choose_dropped(context: TableContext, covering: dict[str, list[Index]]) -> set[str]:
    dropped = choose_dropped(
        context.indexes,
        covering,
        is_never_dropped=lambda index: why_never_dropped(index, context) is not None,
        worth=lambda index: _worth(index, context),
    )
    for index in context.indexes:
        staying = [other for other in context.indexes if other.name not in dropped]
        stays_unique = not index.is_unique or any(implies_unique(other, index) for other in staying)
        stays_covered = any(other in staying for other in covering[index.name])
        if index.name in dropped and not (stays_unique and stays_covered):
            dropped.remove(index.name)
    return dropped


def _worth(index: Index, context: TableContext) -> tuple[bool, bool, bool, bool, bool, bool, int, int]:
    """Rank the index: of two equal ones the greater stays."""
    return (
        why_never_dropped(index, context) is not None,
        index.constraint is Constraint.PRIMARY,
        index.is_unique,
        index.is_visible,
        index.is_referenced,
        not any(key.descending for key in index.keys),
        index.scans or 0,
        -context.indexes.index(index),
    )


def _distance(index: Index, other: Index) -> tuple[bool, int, int]:
    return not have_same_keys(index, other), len(other.keys), other.size_bytes or 0


def _sorted_by_primary(narrow: Index, wide: Index, context: TableContext) -> str | None:
    """Return the reason if a statement needs the order of the primary key, which only `narrow` gives.

    InnoDB sorts the equal keys of an index by the primary key. None means that no such statement is known.
    """
    primary = context.primary
    if primary is None or not _loses_order(narrow, wide, context):
        return None
    first = primary.keys[0].text
    columns = {key.text.lower() for key in narrow.keys}
    for text in context.ordered:
        if columns <= names_in(text) and needs_order_of(first, text):
            return f"a statement uses the order of {first}, which {wide.name} does not give ({text[:80]})"
    return None


def _loses_order(narrow: Index, wide: Index, context: TableContext) -> bool:
    """Return True if equal keys of `narrow` are in the order of the primary key and those of `wide` are not."""
    primary = context.primary
    if not context.is_innodb or primary is None or narrow.is_unique or len(wide.keys) == len(narrow.keys):
        return False
    return wide.keys[len(narrow.keys)].text.lower() != primary.keys[0].text.lower()


def _superfluous(catalog: Catalog, index: Index, covering: Index, context: TableContext) -> Finding:
    equal = have_same_keys(index, covering) or index.method == "fulltext"
    is_reversed = not equal and any(
        mine.descending != its.descending for mine, its in zip(index.keys, covering.keys, strict=False)
    )
    same_length = len(index.keys) == len(covering.keys)
    relation = "has the same keys as" if equal else "is served by" if same_length else "is a prefix of"
    notes = [
        "both are unique" if index.is_unique and covering.is_unique else "",
        "another unique index keeps its keys unique" if index.is_unique and not covering.is_unique else "",
        f"{covering.name} is read backwards for it" if is_reversed else "",
        "it is already hidden, so only the drop remains" if not index.is_visible else "",
    ]
    added = "".join(f", {note}" for note in notes if note)
    return covered_finding(
        catalog,
        index,
        covering,
        # A hidden index is half dropped already; the person who hid it decides about the rest.
        Action.DROP if index.is_visible else Action.ASK,
        f"{index.name} {relation} {covering.name}{added}: {covering.name} serves all its queries."
        + (f" Whether a hint names it is not known: {context.hints_unknown}." if context.hints_unknown else ""),
        Risk.LOW if equal and not index.is_unique and not context.hints_unknown else Risk.MEDIUM,
        is_equal=equal,
        statement=index.definition,
        evidence={
            "reads": index.scans,
            "covered_by_reads": covering.scans,
            "hidden": not index.is_visible,
            **context.hints_evidence(),
            "order_of_primary_key_lost": _loses_order(index, covering, context),
        },
    )


def _kept(catalog: Catalog, index: Index, context: TableContext, dropped: Iterable[str]) -> list[Finding]:
    """Return the reason why an index that looks covered is kept; nothing if the covering index itself is dropped."""
    if index.constraint is Constraint.PRIMARY:
        return []
    staying = replace(context, indexes=tuple(other for other in context.indexes if other.name not in dropped))
    for other in staying.indexes:
        if other is index or not looks_covered(index, other):
            continue
        same_length = len(index.keys) == len(other.keys)
        # One reason is enough for two indexes that look equal.
        is_worth_more = _worth(index, context) > _worth(other, context)
        if same_length and looks_covered(other, index) and is_worth_more and other.is_visible:
            continue
        reason = (
            why_not_covered(index, other, staying)
            or _sorted_by_primary(index, other, context)
            or why_never_dropped(index, context)
        )
        if reason is not None:
            return [kept_beside(catalog, index, other, reason)]
    return []
