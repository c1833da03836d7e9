"""Compare PostgreSQL indexes: decide if one can replace another.

A btree replaces a btree on a prefix of its keys if all keys have the same order or all have the reversed order. An
index of another method replaces only an equal one. Everything an index does besides scans (uniqueness, constraints)
counts.
"""

from collections.abc import Mapping

from optimizer.indexes.model.catalog import Constraint, Index

_BTREE = "btree"
# Storage parameters that change how an index is stored, and not which conditions it serves.
_STORAGE_ONLY = {"fillfactor", "deduplicate_items", "buffering", "fastupdate", "gin_pending_list_limit"}


def why_never_dropped(index: Index) -> str | None:
    """Return the reason why the index is never dropped as redundant or unused, or None if it is a plain index.

    The reason continues a sentence that ends in "because".
    """
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


# A btree answers the conditions of the other two, too.
_COMPARED = {"btree", "hash", "brin"}


def looks_covered(narrow: Index, wide: Index) -> bool:
    """Tell whether `narrow` looks superfluous beside `wide` to people who compare the keys alone.

    Access methods that answer different conditions are not compared, unless the wide index is a constraint.
    """
    if narrow.method != wide.method and wide.constraint is None and not {narrow.method, wide.method} <= _COMPARED:
        return False
    names = [key.text for key in narrow.keys]
    return names == [key.text for key in wide.keys[: len(names)]]


def why_not_covered(narrow: Index, wide: Index, not_null: Mapping[tuple[str, str, str], bool]) -> str | None:
    """Return the reason why `wide` cannot replace `narrow`, or None if it can.

    The reason continues a sentence that ends in "because". `not_null` maps (schema, table, column) to True if the
    column has NOT NULL.
    """
    checks = (_method(narrow, wide), _predicate(narrow, wide), _keys(narrow, wide), _include(narrow, wide))
    return next((words for words in checks if words is not None), None) or _uniqueness(narrow, wide, not_null)


def have_same_keys(first: Index, second: Index) -> bool:
    """Tell whether both have the same keys in the same or exactly the reversed order."""
    return len(first.keys) == len(second.keys) and _keys(first, second) is None


def _method(narrow: Index, wide: Index) -> str | None:
    if narrow.method != wide.method:
        return f"it is a {narrow.method} index and {wide.name} a {wide.method} index: they serve different conditions"
    if narrow.is_partitioned != wide.is_partitioned:
        return "only one of the two is a partitioned index"
    if narrow.method == _BTREE:
        return None
    if len(narrow.keys) != len(wide.keys):
        return f"a {narrow.method} index cannot be replaced by one with more keys"
    if _parameters(narrow) != _parameters(wide):
        return f"its storage parameters differ from those of {wide.name}, and with them the conditions that it serves"
    return None


def _parameters(index: Index) -> dict[str, str]:
    return {name: value for name, value in index.options.items() if name not in _STORAGE_ONLY}


def _predicate(narrow: Index, wide: Index) -> str | None:
    if narrow.predicate == wide.predicate:
        return None
    if wide.predicate is None:
        return f"it is partial (WHERE {narrow.predicate}) and smaller than {wide.name}, usually on purpose"
    if narrow.predicate is None:
        return f"{wide.name} contains only rows WHERE {wide.predicate}"
    return f"it and {wide.name} are partial with different conditions"


def _keys(narrow: Index, wide: Index) -> str | None:
    if not looks_covered(narrow, wide):
        return f"its keys are not the first keys of {wide.name}"
    pairs = list(zip(narrow.keys, wide.keys, strict=False))
    for key, wide_key in pairs:
        if key.opclass != wide_key.opclass:
            return f"its operator class on {key.text} is {key.opclass}, that of {wide.name} is {wide_key.opclass}"
        if key.collation != wide_key.collation:
            return f"its collation on {key.text} is {key.collation}, that of {wide.name} is {wide_key.collation}"
    orders = [
        (key.descending == wide_key.descending, key.nulls_first == wide_key.nulls_first)
        for key, wide_key in pairs
        if narrow.method == _BTREE
    ]
    if all(same == (True, True) for same in orders) or all(same == (False, False) for same in orders):
        return None
    return f"it sorts in an order that {wide.name} has in neither direction"


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
        return f"it is checked immediately, and {wide.name} may be checked at the end of the transaction"
    if narrow.nulls_not_distinct != wide.nulls_not_distinct:
        columns = [key.column for key in narrow.keys]
        table = narrow.qualified_table
        if not all(column is not None and not_null.get((*table, column), False) for column in columns):
            return f"only one of it and {wide.name} treats NULLs as equal"
    return None
