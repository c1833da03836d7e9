"""Find the indexes that a query plan of PostgreSQL would use if they existed.

They are read from the plan, not from the text of the statement, so that views, joins and sub-queries need no parser.
Where the plan reads rows of a large table only to filter them out, the columns in its conditions are candidates: first
those compared for equality, then one that is compared with a range, or those that the result is sorted by. A whole
table is read by a Seq Scan, and by the walk of an index without a condition, which gives the rows in its order.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.indexes.model import Index, Table

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_REFERENCE = re.compile(rf"^\(*(?P<alias>{_NAME})\.(?P<column>{_NAME})\)*(?:::(?P<cast>[\w\s]+)(?:\(\d+\))?)?\)*$")
_COMPARISON = re.compile(r"^(?P<left>.+?) (?P<operator>=|<|>|<=|>=|~~) (?P<right>.+)$")
_ORDER = re.compile(r"(?: (?:ASC|DESC))?(?: NULLS (?:FIRST|LAST))?$")
_EQUAL, _RANGE = {"="}, {"<", ">", "<=", ">="}


# A filter removes nearly all rows of an index scan that reads so many rows for each one that is left.
_READ_A_ROW = 50
_MOST_KEYS = 4


@dataclass(frozen=True, slots=True)
class Order:
    """The order of one key. The opposite of an order is given by the same index, read backward."""

    descending: bool = False
    nulls_first: bool = False

    @property
    def reversed(self) -> "Order":
        """The order of the key if the index is read backward."""
        return Order(not self.descending, not self.nulls_first)

    @property
    def sql(self) -> str:
        """The order as CREATE INDEX needs it, empty for the default."""
        if self.nulls_first == self.descending:
            return " DESC" if self.descending else ""
        return " DESC NULLS LAST" if self.descending else " NULLS FIRST"


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key of an index that a plan would use; `order` is None if any order serves."""

    column: str
    order: Order | None = None

    def is_served_by(self, column: str | None, order: Order) -> bool:
        """Tell whether a key of an index, in its order, serves as this key."""
        return self.column == column and self.order in (None, order)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An index that a plan would use."""

    schema: str
    table: str
    keys: tuple[WantedKey, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the keys."""
        return tuple(key.column for key in self.keys)

    @property
    def orders(self) -> tuple[str, ...]:
        """The order of each key as CREATE INDEX needs it."""
        return tuple(key.order.sql if key.order else "" for key in self.keys)

    def leads(self, other: "Wanted") -> bool:
        """Tell whether the other index begins with the keys of this one."""
        same_table = (self.schema, self.table) == (other.schema, other.table)
        pairs = zip(self.keys, other.keys, strict=False)
        return (
            same_table
            and len(self.keys) <= len(other.keys)
            and all(mine.column == theirs.column and mine.order in (None, theirs.order) for mine, theirs in pairs)
        )

    def is_served_by(self, index: Index) -> bool:
        """Tell whether an index of the same table begins with these keys, read forward or backward."""
        keys = [(part.column, Order(part.descending, part.nulls_first)) for part in index.keys[: len(self.keys)]]
        return len(keys) == len(self.keys) and any(
            all(
                key.is_served_by(column, order.reversed if backward else order)
                for key, (column, order) in zip(self.keys, keys, strict=True)
            )
            for backward in (False, True)
        )


@dataclass(frozen=True, slots=True)
class PlannedTables:
    """The tables and indexes that plans may read.

    is_proved: each candidate is shown to the planner, so that doubtful ones may be returned as well.
    random_page_cost: the planner's cost of one random page.
    """

    tables: Mapping[tuple[str, str], Table]
    indexes: Mapping[tuple[str, str], Index]
    least_rows: float
    is_proved: bool
    random_page_cost: float = 4.0


def total_cost(plan: Mapping[str, Any]) -> float:
    """Return the planner's cost of a plan from EXPLAIN (FORMAT JSON)."""
    return float(plan["Plan"]["Total Cost"])


def find_wanted(plan: Mapping[str, Any], known: PlannedTables) -> list[Wanted]:
    """Return the candidates for a plan from EXPLAIN (VERBOSE, FORMAT JSON)."""
    found: dict[Wanted, None] = {}
    for node, joins, sort in _nodes(plan["Plan"], (), ()):
        schema, name = node.get("Schema", ""), node.get("Relation Name", "")
        table = known.tables.get((schema, name))
        if table is None or (table.rows or 0.0) < known.least_rows or not _drops_rows(node, known):
            continue
        read = _References(node["Alias"], table, allows_casts=known.is_proved)
        filtered, ranged = read.compared(node.get("Filter"))
        if not (filtered or ranged or node["Node Type"].endswith("Seq Scan")):
            continue
        looked_up, _ = read.compared(_condition(node))
        joined = [column for condition in joins for column in read.compared(condition)[0]]
        order = read.sorted_by(sort) or _walked(node, known)
        equal = [*looked_up, *filtered]
        for first in (equal, filtered, [*filtered, *joined]) if equal else (joined,):
            for last in ([], [WantedKey(column) for column in ranged[:1]], order):
                leading = {column: WantedKey(column) for column in first}
                keys = [*leading.values(), *_in_order([key for key in last if key.column not in leading])]
                if keys:
                    found[Wanted(schema, name, tuple(keys[:_MOST_KEYS]))] = None
    return list(found)


def _drops_rows(node: Mapping[str, Any], known: PlannedTables) -> bool:
    """Tell whether the node may read many more rows than it returns."""
    if node["Node Type"].endswith("Seq Scan"):
        return True
    if "Filter" not in node or node["Node Type"] not in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan"):
        return False
    return _condition(node) is None or _rows_read(node, known) >= _READ_A_ROW * max(float(node["Plan Rows"]), 1.0)


def _rows_read(node: Mapping[str, Any], known: PlannedTables) -> float:
    """Return the rows that a search of an index reads before the filter, or fewer if that is not known."""
    found = [float(child["Plan Rows"]) for child in node.get("Plans", ())]
    # A row costs at most one random page.
    by_cost = float(node["Total Cost"]) / max(known.random_page_cost, 1e-6)
    table = known.tables[node["Schema"], node["Relation Name"]]
    searched = set(_References(node["Alias"], table, allows_casts=False).compared(_condition(node))[0])
    distinct = {column.name: column.distinct for column in table.columns}
    if len(searched) == 1 and len(_conjuncts(_condition(node) or "")) == 1:
        (column,) = searched
        found.append((table.rows or 0.0) / max(distinct[column] or float("inf"), 1.0))
    return max([by_cost, *found])


def _condition(node: Mapping[str, Any]) -> str | None:
    """Return the condition by which an index is searched, or None if all of it is read."""
    return node.get("Index Cond") or node.get("Recheck Cond")


def _walked(node: Mapping[str, Any], known: PlannedTables) -> list[WantedKey]:
    """Return the order that the walk of an index without a condition gives: the statement needs it."""
    index = known.indexes.get((node.get("Schema", ""), node.get("Index Name", "")))
    keys: list[WantedKey] = []
    for part in index.keys if index is not None and _condition(node) is None and index.method == "btree" else ():
        if part.column is None:
            break
        keys.append(WantedKey(part.column, Order(part.descending, part.nulls_first)))
    return keys


def _in_order(keys: Sequence[WantedKey]) -> list[WantedKey]:
    """Return the keys in the direction in which the first one ascends; the index is read in both."""
    if not keys or keys[0].order is None or not keys[0].order.descending:
        return list(keys)
    return [WantedKey(key.column, key.order.reversed if key.order else None) for key in keys]


def names_without_schema(text: str, table: str) -> bool:
    """Tell whether a statement names a table without its schema; the table's name before a column does not count."""
    quoted = re.escape('"' + table.replace('"', '""') + '"')
    plain = f"|(?i:{re.escape(table)})" if re.fullmatch(r"[a-z_\x80-\U0010ffff][\w$]*", table) else ""
    return re.search(rf'(?<![\w$".])(?<!\.\s)(?:{quoted}{plain})(?![\w$"]|\s*\.)', text) is not None


def index_names(plan: Mapping[str, Any]) -> set[str]:
    """Return the names of the indexes that the plan uses."""
    return {node["Index Name"] for node, _, _ in _nodes(plan["Plan"], (), ()) if "Index Name" in node}


def _nodes(
    node: Mapping[str, Any], joins: tuple[str, ...], sort: tuple[str, ...]
) -> Iterator[tuple[Mapping[str, Any], tuple[str, ...], tuple[str, ...]]]:
    """Yield every node with the conditions of the joins above it and the keys of the nearest sort above it."""
    yield node, joins, sort
    conditions = [node[name] for name in ("Hash Cond", "Merge Cond", "Join Filter") if name in node]
    order = tuple(node["Sort Key"]) if "Sort Key" in node else sort
    if node["Node Type"] in ("Aggregate", "Group", "WindowAgg"):
        order = ()
    for child in node.get("Plans", ()):
        yield from _nodes(child, (*joins, *conditions), order)


@dataclass(frozen=True, slots=True)
class _References:
    """The references to the columns of one table in the conditions and sort keys of a plan.

    allows_casts: returns a column that is cast as well, although an index on it may not serve the cast.
    """

    alias: str
    table: Table
    allows_casts: bool

    def compared(self, condition: str | None) -> tuple[list[str], list[str]]:
        """Return the columns that are compared for equality, and those compared with a range."""
        equal: list[str] = []
        ranged: list[str] = []
        for part in _conjuncts(condition or ""):
            match = _COMPARISON.match(part)
            if match is None:
                continue
            sides = {side: self._column(match[side]) for side in ("left", "right")}
            # An index cannot look up a column that is compared with one of the same table.
            if (sides["left"] is None) == (sides["right"] is None):
                continue
            column = sides["left"] or sides["right"] or ""
            if match["operator"] in _EQUAL:
                equal.append(column)
            elif match["operator"] in _RANGE:
                ranged.append(column)
        return equal, ranged

    def sorted_by(self, texts: Sequence[str]) -> list[WantedKey]:
        """Return the leading sort keys that are columns of the table, with their order."""
        found = []
        for text in texts:
            words = _ORDER.search(text)
            column = self._column(text[: words.start()] if words else text)
            if column is None:
                break
            said = words[0] if words else ""
            descending = "DESC" in said
            nulls_first = "FIRST" in said or (descending and "LAST" not in said)
            found.append(WantedKey(column, Order(descending, nulls_first)))
        return found

    def _column(self, text: str) -> str | None:
        match = _REFERENCE.match(text.strip())
        if match is None or _unquoted(match["alias"]) != self.alias:
            return None
        column = _unquoted(match["column"])
        return column if self.allows_casts or self._is_served(column, match["cast"]) else None

    def _is_served(self, column: str, cast: str | None) -> bool:
        """Tell whether an index on the column serves its cast: only if text of another type is compared as text."""
        types = [each.data_type for each in self.table.columns if each.name == column]
        return cast is None or (cast.strip() == "text" and any(one.startswith("character varying") for one in types))


def _conjuncts(condition: str) -> list[str]:
    """Return the parts of a condition that must all be true; a part with OR is not split, and matches nothing."""
    text = condition.strip()
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1].strip()
    parts, depth, start, quoted = [], 0, 0, ""
    for at, character in enumerate(text):
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"":
            quoted = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif depth == 0 and text.startswith(" AND ", at):
            parts.append(text[start:at])
            start = at + len(" AND ")
    parts.append(text[start:])
    if len(parts) == 1:
        return [] if re.search(r" OR ", text) else [text]
    return [piece for part in parts for piece in _conjuncts(part)]


def _closing(text: str) -> int:
    """Return the position of the parenthesis that closes the first character of the text, or -1."""
    depth, quoted = 0, ""
    for at, character in enumerate(text):
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"":
            quoted = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return at
    return -1


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
