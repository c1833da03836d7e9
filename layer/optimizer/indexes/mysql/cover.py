"""Decides when one index of MySQL or MariaDB serves everything that another one does. Pure.

Every "no" is a reason for people to read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optimizer.indexes.model.catalog import Constraint, Engine, ForeignKey, Index, KeyPart, Table

# The storage engines whose indexes work as this module assumes.
KNOWN_ENGINES = frozenset({"innodb", "myisam", "aria", "memory"})
_MULTI_VALUED = " array)"


@dataclass(frozen=True, slots=True)
class TableContext:
    """A table with all that decides about its indexes.

    foreign_keys: those of the table; referencing: those of other tables that refer to it.
    hints: the names (in lower case) of indexes in hints, and where each hint is.
    hints_unknown: why a hint may name one of its indexes unseen; empty if all hints are known.
    ordered: the statements and stored code that mention the table and may depend on an order.
    """

    engine: Engine
    table: Table
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    referencing: tuple[ForeignKey, ...] = ()
    hints: Mapping[str, str] = field(default_factory=dict)
    ordered: Sequence[str] = ()
    hints_unknown: str = ""

    def hints_evidence(self) -> dict[str, Any]:
        """Return what a finding says of hints that may name an index of the table."""
        unknown = {"hints_unknown_because": self.hints_unknown} if self.hints_unknown else {}
        return {"hints_known": not self.hints_unknown, **unknown}

    @property
    def is_innodb(self) -> bool:
        """True for InnoDB, where each secondary index ends with the primary key."""
        return (self.table.storage_engine or "").lower() == "innodb"

    @property
    def primary(self) -> Index | None:
        """The primary key, if there is one."""
        return next((index for index in self.indexes if index.constraint is Constraint.PRIMARY), None)


def is_same_key(mine: KeyPart, other: KeyPart) -> bool:
    """Return True for the same column, whatever its length and direction, or the same expression."""
    if mine.column is not None and other.column is not None:
        return mine.column.lower() == other.column.lower()
    return mine.column is None and other.column is None and mine.text == other.text


def have_same_keys(index: Index, other: Index) -> bool:
    """Return True for the same columns in the same order, with the same lengths and directions."""
    return len(index.keys) == len(other.keys) and all(
        is_same_key(mine, its) and mine.prefix_length == its.prefix_length and mine.descending == its.descending
        for mine, its in zip(index.keys, other.keys, strict=True)
    )


def looks_covered(narrow: Index, wide: Index) -> bool:
    """Return True if `narrow` looks superfluous to a reader who compares only the columns."""
    if narrow.method == wide.method == "fulltext":
        return {key.text.lower() for key in narrow.keys} <= {key.text.lower() for key in wide.keys}
    return len(narrow.keys) <= len(wide.keys) and all(
        is_same_key(mine, its) for mine, its in zip(narrow.keys, wide.keys, strict=False)
    )


def serves_foreign_key(index: Index, columns: Sequence[str], engine: Engine) -> bool:
    """Return True if a foreign key of, or to, the columns can use the index.

    The columns come first in the index, in their order and in full length. MySQL does not accept descending ones. A
    hidden index serves, too.
    """
    return (
        index.method == "btree"
        and len(index.keys) >= len(columns)
        and all(
            key.column is not None
            and key.column.lower() == column.lower()
            and key.prefix_length is None
            and not (key.descending and engine is Engine.MYSQL)
            for key, column in zip(index.keys, columns, strict=False)
        )
    )


def implies_unique(unique: Index, index: Index) -> bool:
    """Return True if `unique` forbids everything that the unique index `index` forbids."""
    return unique.is_unique and all(
        any(
            is_same_key(mine, its)
            and (mine.prefix_length is None) <= (its.prefix_length is None)
            and (mine.prefix_length is None or its.prefix_length is None or mine.prefix_length <= its.prefix_length)
            for its in index.keys
        )
        for mine in unique.keys
    )


def why_never_dropped(index: Index, context: TableContext) -> str | None:
    """Return why the index is never dropped, whatever other indexes there are; None if it may be."""
    if index.constraint is Constraint.PRIMARY:
        return "it is the primary key"
    if index.constraint is Constraint.EXCLUSION:
        return "it prevents periods from overlapping"
    if index.is_clustered and context.is_innodb:
        return "the table has no primary key, and InnoDB stores the rows in this index"
    if (context.table.storage_engine or "").lower() not in KNOWN_ENGINES:
        return f"the rules for indexes of the storage engine {context.table.storage_engine} are unknown"
    hint = context.hints.get(index.name.lower())
    return f"{hint} names it in a hint and would fail without it" if hint else None


def why_not_covered(narrow: Index, wide: Index, context: TableContext) -> str | None:
    """Return why `wide` does not serve everything that `narrow` does; None if it does."""
    if not wide.is_visible:
        return f"{wide.name} is hidden from the optimizer"
    return (
        _method_differs(narrow, wide)
        or _keys_differ(narrow, wide)
        or _loses_uniqueness(narrow, wide, context)
        or _foreign_key_needs(narrow, wide, context)
    )


def _method_differs(narrow: Index, wide: Index) -> str | None:
    if narrow.method != wide.method:
        return f"it is a {narrow.method} index and {wide.name} is a {wide.method} index"
    if narrow.method == "btree":
        return None
    # MATCH needs an index on exactly its columns, in any order; a hash index serves only the whole key.
    if narrow.method == "fulltext":
        mine, its = (sorted(key.text.lower() for key in index.keys) for index in (narrow, wide))
        if mine == its and _parser(narrow) == _parser(wide):
            return None
        return "a fulltext index serves only searches in just its columns with its parser"
    if have_same_keys(narrow, wide):
        return None
    return f"a {narrow.method} index serves only its whole key"


def _parser(index: Index) -> str:
    _, found, parser = index.definition.partition("WITH PARSER")
    return parser.replace("*/", " ").split()[0] if found else ""


def _keys_differ(narrow: Index, wide: Index) -> str | None:
    if narrow.method != "btree":
        return None
    if len(narrow.keys) > len(wide.keys):
        return f"{wide.name} has fewer keys"
    pairs = list(zip(narrow.keys, wide.keys, strict=False))
    for mine, its in pairs:
        if not is_same_key(mine, its):
            return f"{wide.name} has other keys"
        if its.prefix_length is not None and (mine.prefix_length is None or mine.prefix_length > its.prefix_length):
            held = "all of it" if mine.prefix_length is None else f"{mine.prefix_length}"
            return f"{wide.name} holds only {its.prefix_length} characters of {its.text}, and this index holds {held}"
    if len({mine.descending != its.descending for mine, its in pairs}) > 1:
        return f"{wide.name} sorts its keys in other directions"
    if any(key.column is None and _MULTI_VALUED in key.text for key in wide.keys[len(narrow.keys) :]):
        return f"{wide.name} has an entry for each element of an array"
    return None


def _loses_uniqueness(narrow: Index, wide: Index, context: TableContext) -> str | None:
    if not narrow.is_unique or (wide.is_unique and implies_unique(wide, narrow)):
        return None
    if any(other is not narrow and implies_unique(other, narrow) for other in context.indexes):
        return None
    return "it is unique, and no other index ensures that its keys are unique"


def _foreign_key_needs(narrow: Index, wide: Index, context: TableContext) -> str | None:
    for key in context.foreign_keys:
        if serves_foreign_key(narrow, key.columns, context.engine) and not serves_foreign_key(
            wide, key.columns, context.engine
        ):
            return f"the foreign key {key.name} needs it and cannot use {wide.name}"
    for key in context.referencing:
        if not serves_foreign_key(narrow, key.parent_columns, context.engine):
            continue
        exact = wide.is_unique and len(wide.keys) == len(narrow.keys)
        if not serves_foreign_key(wide, key.parent_columns, context.engine) or (narrow.is_unique and not exact):
            return f"the foreign key {key.name} of {key.table} refers to it"
    return None
