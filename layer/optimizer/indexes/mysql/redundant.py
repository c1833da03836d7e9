"""Duplicate and redundant indexes of MySQL and MariaDB, settled together for each table so that of two that cover each
other one always stays, and of two that make each other's keys unique too."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from optimizer.core import Risk
from optimizer.indexes.model.catalog import Catalog, Constraint, ForeignKey, Index
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.new_finding import about_index
from optimizer.indexes.mysql.cover import (
    TableContext,
    implies_unique,
    looks_covered,
    same_keys,
    why_fixed,
    why_not_covered,
)
from optimizer.indexes.mysql.hints import index_hints, names_in, statements_that_sort


def gather_tables(catalog: Catalog) -> list[TableContext]:
    """Each table with what belongs to it."""
    indexes: dict[tuple[str, str], list[Index]] = defaultdict(list)
    for index in catalog.indexes:
        indexes[index.qualified_table].append(index)
    own: dict[tuple[str, str], list[ForeignKey]] = defaultdict(list)
    referencing: dict[tuple[str, str], list[ForeignKey]] = defaultdict(list)
    for key in catalog.foreign_keys:
        own[key.schema, key.table].append(key)
        referencing[key.parent_schema, key.parent_table].append(key)
    hints, sorting = index_hints(catalog), statements_that_sort(catalog)
    return [
        TableContext(
            engine=catalog.server.engine,
            table=table,
            indexes=tuple(indexes[table.qualified]),
            foreign_keys=tuple(own[table.qualified]),
            referencing=tuple(referencing[table.qualified]),
            hints=hints.get(table.qualified, {}),
            sorting=sorting.get(table.qualified, ()),
        )
        for table in catalog.tables
    ]


def redundant(catalog: Catalog) -> list[Finding]:
    """A finding for each index that another covers, and one for each that looks so and is kept."""
    return [finding for of in gather_tables(catalog) for finding in _of_table(catalog, of)]


def _of_table(catalog: Catalog, of: TableContext) -> list[Finding]:
    covering = {index.name: _covering(index, of) for index in of.indexes}
    dropped = _dropped(of, covering)
    found: list[Finding] = []
    for index in of.indexes:
        if index.name in dropped:
            staying = [other for other in covering[index.name] if other.name not in dropped]
            found.append(_superfluous(catalog, index, min(staying, key=lambda other: _closeness(index, other)), of))
        else:
            found += _kept(catalog, index, of, dropped)
    return found


def _covering(index: Index, of: TableContext) -> list[Index]:
    return [
        other
        for other in of.indexes
        if other is not index
        and why_not_covered(index, other, of) is None
        and _sorted_by_primary(index, other, of) is None
    ]


def _dropped(of: TableContext, covering: dict[str, list[Index]]) -> set[str]:
    dropped = {
        index.name
        for index in of.indexes
        if why_fixed(index, of) is None
        and any(
            index.name not in {back.name for back in covering[other.name]} or _worth(other, of) > _worth(index, of)
            for other in covering[index.name]
        )
    }
    for index in of.indexes:
        staying = [other for other in of.indexes if other.name not in dropped]
        unique = not index.is_unique or any(implies_unique(other, index) for other in staying)
        covered = any(other in staying for other in covering[index.name])
        if index.name in dropped and not (unique and covered):
            dropped.remove(index.name)
    return dropped


def _worth(index: Index, of: TableContext) -> tuple[bool, bool, bool, bool, bool, bool, int, int]:
    """Which of two equal indexes stays: the greater."""
    return (
        why_fixed(index, of) is not None,
        index.constraint is Constraint.PRIMARY,
        index.is_unique,
        index.is_visible,
        index.is_referenced,
        not any(key.descending for key in index.keys),
        index.scans or 0,
        -of.indexes.index(index),
    )


def _closeness(index: Index, other: Index) -> tuple[bool, int, int]:
    return not same_keys(index, other), len(other.keys), other.size_bytes or 0


def _sorted_by_primary(narrow: Index, wide: Index, of: TableContext) -> str | None:
    """A statement that reads in the order of the primary key, by which InnoDB sorts what is equal in `narrow` and not
    in `wide`; None if none is known."""
    primary = of.primary
    if not of.is_innodb or primary is None or narrow.is_unique or len(wide.keys) == len(narrow.keys):
        return None
    first = primary.keys[0].text
    if wide.keys[len(narrow.keys)].text.lower() == first.lower():
        return None
    sorts = re.compile(rf"\bORDER\s+BY\s+(?:`?\w+`?\s*\.\s*)?`?{re.escape(first)}`?(?!\w)", re.IGNORECASE)
    columns = {key.text.lower() for key in narrow.keys}
    for text in of.sorting:
        if columns <= names_in(text) and sorts.search(text):
            return f"a statement reads in the order of {first}, which {wide.name} does not give ({text[:80]})"
    return None


def _superfluous(catalog: Catalog, index: Index, by: Index, of: TableContext) -> Finding:
    equal = same_keys(index, by) or index.method == "fulltext"
    reversed_ = not equal and any(
        mine.descending != its.descending for mine, its in zip(index.keys, by.keys, strict=False)
    )
    same_length = len(index.keys) == len(by.keys)
    words = "has the same keys as" if equal else "is served by" if same_length else "is a prefix of"
    notes = [
        "both are unique" if index.is_unique and by.is_unique else "",
        "another unique index keeps its keys unique" if index.is_unique and not by.is_unique else "",
        f"{by.name} is read backwards for it" if reversed_ else "",
        "it is hidden already, so that only the drop is left" if not index.is_visible else "",
    ]
    also = "".join(f", {note}" for note in notes if note)
    known_hints = "statements" not in catalog.not_read
    return about_index(
        catalog,
        index,
        Kind.DUPLICATE if equal else Kind.REDUNDANT_PREFIX,
        # What is hidden has gone the first half of the way already: to go the rest is for who hid it.
        Action.DROP if index.is_visible else Action.ASK,
        f"{index.name} {words} {by.name}{also}: what it serves, {by.name} serves.",
        Risk.LOW if equal and not index.is_unique and known_hints else Risk.MEDIUM,
        covered_by=by.name,
        statement=index.definition,
        saves_bytes=index.size_bytes,
        evidence={
            "definition": index.definition,
            "covered_by_definition": by.definition,
            "reads": index.scans,
            "covered_by_reads": by.scans,
            "covered_by_bytes": by.size_bytes,
            "hidden": not index.is_visible,
            "hints_known": known_hints,
            "order_of_primary_key_lost": _loses_order(index, by, of),
        },
    )


def _loses_order(index: Index, by: Index, of: TableContext) -> bool:
    """Whether equal keys of `index` are in the order of the primary key and those of `by` are not."""
    primary = of.primary
    if not of.is_innodb or primary is None or index.is_unique or len(by.keys) == len(index.keys):
        return False
    return by.keys[len(index.keys)].text.lower() != primary.keys[0].text.lower()


def _kept(catalog: Catalog, index: Index, of: TableContext, dropped: Iterable[str]) -> list[Finding]:
    """The reason why an index that looks covered stays; none where the one that looks covering goes itself."""
    if index.constraint is Constraint.PRIMARY:
        return []
    staying = replace(of, indexes=tuple(other for other in of.indexes if other.name not in dropped))
    for other in staying.indexes:
        if other is index or not looks_covered(index, other):
            continue
        same_length = len(index.keys) == len(other.keys)
        # Of two that look equal, one reason is enough.
        if same_length and looks_covered(other, index) and _worth(index, of) > _worth(other, of) and other.is_visible:
            continue
        words = why_not_covered(index, other, staying) or _sorted_by_primary(index, other, of) or why_fixed(index, of)
        if words is not None:
            kind = Kind.DUPLICATE if same_length else Kind.REDUNDANT_PREFIX
            reason = f"{index.name} looks superfluous beside {other.name}, and is kept because {words}."
            evidence = {"beside": other.name, "definition": index.definition, "beside_definition": other.definition}
            return [about_index(catalog, index, kind, Action.NONE, reason, kept_because=words, evidence=evidence)]
    return []
