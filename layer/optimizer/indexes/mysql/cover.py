"""When one index of MySQL or MariaDB serves all that another does. Pure; every "no" is a reason for a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optimizer.indexes.model.catalog import Constraint, Engine, ForeignKey, Index, KeyPart, Table

# Storage engines whose indexes work as is assumed here.
KNOWN_ENGINES = frozenset({"innodb", "myisam", "aria", "memory"})
_MULTI_VALUED = " array)"


@dataclass(frozen=True, slots=True)
class TableContext:
    """A table with its indexes, the foreign keys of it and to it, the names (lower case) in hints, with where, and
    the statements that sort its rows."""

    engine: Engine
    table: Table
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    referencing: tuple[ForeignKey, ...] = ()
    hints: Mapping[str, str] = field(default_factory=dict)
    sorting: Sequence[str] = ()

    @property
    def is_innodb(self) -> bool:
        """Whether each secondary index ends in the primary key."""
        return (self.table.storage_engine or "").lower() == "innodb"

    @property
    def primary(self) -> Index | None:
        """The primary key, if there is one."""
        return next((index for index in self.indexes if index.constraint is Constraint.PRIMARY), None)


def same_key(one: KeyPart, other: KeyPart) -> bool:
    """The same column, whatever its length and direction, or the same expression."""
    if one.column is not None and other.column is not None:
        return one.column.lower() == other.column.lower()
    return one.column is None and other.column is None and one.text == other.text


def same_keys(one: Index, other: Index) -> bool:
    """The same columns in the same order with the same lengths and directions."""
    return len(one.keys) == len(other.keys) and all(
        same_key(mine, its) and mine.prefix_length == its.prefix_length and mine.descending == its.descending
        for mine, its in zip(one.keys, other.keys, strict=True)
    )


def looks_covered(narrow: Index, wide: Index) -> bool:
    """Whether someone who looks at the columns alone would take `narrow` for superfluous."""
    if narrow.method == wide.method == "fulltext":
        return {key.text.lower() for key in narrow.keys} <= {key.text.lower() for key in wide.keys}
    return len(narrow.keys) <= len(wide.keys) and all(
        same_key(mine, its) for mine, its in zip(narrow.keys, wide.keys, strict=False)
    )


def supports(index: Index, columns: Sequence[str], engine: Engine) -> bool:
    """Whether a foreign key of, or to, the columns can use the index: they come first, in their order, whole; MySQL
    does not take descending ones. Being hidden does not matter."""
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
    """Whether what `unique` forbids includes all that the unique `index` forbids."""
    return unique.is_unique and all(
        any(
            same_key(mine, its)
            and (mine.prefix_length is None) <= (its.prefix_length is None)
            and (mine.prefix_length is None or its.prefix_length is None or mine.prefix_length <= its.prefix_length)
            for its in index.keys
        )
        for mine in unique.keys
    )


def why_fixed(index: Index, of: TableContext) -> str | None:
    """Why the index is never dropped, whatever else there is."""
    if index.constraint is Constraint.PRIMARY:
        return "it is the primary key"
    if index.constraint is Constraint.EXCLUSION:
        return "it keeps periods from overlapping"
    if index.is_clustered and of.is_innodb:
        return "the table has no primary key, and InnoDB keeps the rows in this index"
    if (of.table.storage_engine or "").lower() not in KNOWN_ENGINES:
        return f"nothing is known of the indexes of {of.table.storage_engine}"
    where = of.hints.get(index.name.lower())
    return f"{where} names it in a hint and would fail without it" if where else None


def why_not_covered(narrow: Index, wide: Index, of: TableContext) -> str | None:
    """Why `wide` does not serve everything that `narrow` does; None if it does."""
    if not wide.is_visible:
        return f"{wide.name} is hidden from the optimizer"
    return (
        _method_differs(narrow, wide)
        or _keys_differ(narrow, wide)
        or _not_as_unique(narrow, wide, of)
        or _foreign_keys_need(narrow, wide, of)
    )


def _method_differs(narrow: Index, wide: Index) -> str | None:
    if narrow.method != wide.method:
        return f"it is a {narrow.method} index and {wide.name} a {wide.method} one"
    if narrow.method == "btree":
        return None
    # MATCH wants an index on just its columns, in any order; a hash serves only the whole key.
    if narrow.method == "fulltext":
        mine, its = (sorted(key.text.lower() for key in index.keys) for index in (narrow, wide))
        if mine == its and _parser(narrow) == _parser(wide):
            return None
        return "a fulltext index serves only searches in just its columns with its parser"
    if same_keys(narrow, wide):
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
        if not same_key(mine, its):
            return f"{wide.name} has other keys"
        if its.prefix_length is not None and (mine.prefix_length is None or mine.prefix_length > its.prefix_length):
            whole = "whole" if mine.prefix_length is None else f"to {mine.prefix_length}"
            return f"{wide.name} holds only {its.prefix_length} of {its.text}, and it {whole}"
    if len({mine.descending != its.descending for mine, its in pairs}) > 1:
        return f"{wide.name} sorts its keys in other directions"
    if any(key.column is None and _MULTI_VALUED in key.text for key in wide.keys[len(narrow.keys) :]):
        return f"{wide.name} has an entry for each element of an array"
    return None


def _not_as_unique(narrow: Index, wide: Index, of: TableContext) -> str | None:
    if not narrow.is_unique or (wide.is_unique and implies_unique(wide, narrow)):
        return None
    if any(other is not narrow and implies_unique(other, narrow) for other in of.indexes):
        return None
    return "it is unique, and nothing else keeps its keys unique"


def _foreign_keys_need(narrow: Index, wide: Index, of: TableContext) -> str | None:
    for key in of.foreign_keys:
        if supports(narrow, key.columns, of.engine) and not supports(wide, key.columns, of.engine):
            return f"the foreign key {key.name} needs it and cannot use {wide.name}"
    for key in of.referencing:
        if not supports(narrow, key.parent_columns, of.engine):
            continue
        exact = wide.is_unique and len(wide.keys) == len(narrow.keys)
        if not supports(wide, key.parent_columns, of.engine) or (narrow.is_unique and not exact):
            return f"the foreign key {key.name} of {key.table} refers to it"
    return None
