"""Whether one PostgreSQL index can do all that another does.

A btree serves what a btree on a prefix of its keys serves, in either direction as a whole; of every other kind only an
equal one does. What an index does beside serving scans (uniqueness, being a constraint) is part of it.
"""

from collections.abc import Mapping

from optimizer.indexes.model.catalog import Constraint, Index

_BTREE = "btree"
# Storage parameters that change how an index is stored, and not what it can find.
_STORAGE_ONLY = {"fillfactor", "deduplicate_items", "buffering", "fastupdate", "gin_pending_list_limit"}


def why_never_dropped(index: Index) -> str | None:
    """Why the index may never be dropped for being redundant or unused, as words after "it is kept because"; None if it
    is a plain index."""
    reasons = (
        (index.constraint is Constraint.PRIMARY, "it is the table's primary key"),
        (index.constraint is Constraint.EXCLUSION, "it enforces an exclusion constraint"),
        (index.constraint is not None, "it enforces a unique constraint"),
        (index.is_replica_identity, "it is the table's replica identity: logical replication needs it"),
        (index.is_referenced, "a foreign key of another table refers to it"),
        (index.extension is not None, f"the extension {index.extension} owns it or its table"),
        (index.is_partition, "it is part of a partitioned index and cannot be dropped alone"),
        (index.is_clustered, "CLUSTER orders the table by it"),
    )
    return next((words for applies, words in reasons if applies), None)


def looks_covered(narrow: Index, wide: Index) -> bool:
    """Whether the keys alone, read as a person would, make `narrow` look superfluous beside `wide`."""
    names = [key.text for key in narrow.keys]
    return names == [key.text for key in wide.keys[: len(names)]]


def why_not_covered(narrow: Index, wide: Index, not_null: Mapping[tuple[str, str, str], bool]) -> str | None:
    """What `narrow` does that `wide` does not, as words after "it is kept because"; None if `wide` does all of it.

    `not_null` tells of (schema, table, column) whether it may not be NULL.
    """
    checks = (_method(narrow, wide), _predicate(narrow, wide), _keys(narrow, wide), _include(narrow, wide))
    return next((words for words in checks if words is not None), None) or _uniqueness(narrow, wide, not_null)


def have_same_keys(one: Index, other: Index) -> bool:
    """Whether both have the same keys in the same or exactly the reversed order."""
    return len(one.keys) == len(other.keys) and _keys(one, other) is None


def _method(narrow: Index, wide: Index) -> str | None:
    if narrow.method != wide.method:
        return f"it is a {narrow.method} index and {wide.name} a {wide.method} index: they serve different conditions"
    if narrow.is_partitioned != wide.is_partitioned:
        return "only one of the two is a partitioned index"
    if narrow.method == _BTREE:
        return None
    if len(narrow.keys) != len(wide.keys):
        return f"a {narrow.method} index is not served by a prefix of another"
    if _parameters(narrow) != _parameters(wide):
        return f"its storage parameters differ from those of {wide.name}, and with them what it can find"
    return None


def _parameters(index: Index) -> dict[str, str]:
    return {name: value for name, value in index.options.items() if name not in _STORAGE_ONLY}


def _predicate(narrow: Index, wide: Index) -> str | None:
    if narrow.predicate == wide.predicate:
        return None
    if wide.predicate is None:
        return f"it is partial (WHERE {narrow.predicate}), usually on purpose: it is smaller than {wide.name}"
    if narrow.predicate is None:
        return f"{wide.name} only has the rows WHERE {wide.predicate}"
    return f"it and {wide.name} are partial on different conditions"


def _keys(narrow: Index, wide: Index) -> str | None:
    if not looks_covered(narrow, wide):
        return f"its keys are not the first keys of {wide.name}"
    pairs = list(zip(narrow.keys, wide.keys, strict=False))
    for one, other in pairs:
        if one.opclass != other.opclass:
            return f"its operator class on {one.text} is {one.opclass}, that of {wide.name} is {other.opclass}"
        if one.collation != other.collation:
            return f"its collation on {one.text} is {one.collation}, that of {wide.name} is {other.collation}"
    orders = [
        (one.descending == other.descending, one.nulls_first == other.nulls_first)
        for one, other in pairs
        if narrow.method == _BTREE
    ]
    if all(same == (True, True) for same in orders) or all(same == (False, False) for same in orders):
        return None
    return f"it sorts in an order that {wide.name} gives in neither direction"


def _include(narrow: Index, wide: Index) -> str | None:
    missing = set(narrow.include) - set(wide.include) - {key.text for key in wide.keys}
    return f"{wide.name} does not include {', '.join(sorted(missing))}" if missing else None


def _uniqueness(narrow: Index, wide: Index, not_null: Mapping[tuple[str, str, str], bool]) -> str | None:
    if not narrow.is_unique:
        return None
    if not wide.is_unique:
        return f"it is unique and {wide.name} is not"
    if len(narrow.keys) != len(wide.keys):
        return f"it is unique on fewer keys than {wide.name}"
    if wide.is_deferrable and not narrow.is_deferrable:
        return f"it is checked at once, and {wide.name} may be checked at the end of the transaction"
    if narrow.nulls_not_distinct != wide.nulls_not_distinct:
        columns = [key.column for key in narrow.keys]
        table = narrow.qualified_table
        if not all(column is not None and not_null.get((*table, column), False) for column in columns):
            return f"it and {wide.name} differ in whether NULLs are equal"
    return None
