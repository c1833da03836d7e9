"""Find the indexes that a query plan of PostgreSQL would use if they existed.

They are read from the plan, not from the text of the statement, so that views, joins and sub-queries need no parser.
Where the plan reads a whole large table, the columns in its condition are candidates: first those compared for
equality, then one that is compared with a range, or those that the result is sorted by.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_REFERENCE = re.compile(rf"^\(*(?P<alias>{_NAME})\.(?P<column>{_NAME})\)*(?:::[\w\s]+(?:\(\d+\))?)?\)*$")
_COMPARISON = re.compile(r"^(?P<left>.+?) (?P<operator>=|<|>|<=|>=|~~) (?P<right>.+)$")
_EQUAL, _RANGE = {"="}, {"<", ">", "<=", ">="}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An index that a plan would use, with its columns in the order of the keys."""

    schema: str
    table: str
    columns: tuple[str, ...]


def total_cost(plan: Mapping[str, Any]) -> float:
    """Return the planner's cost of a plan from EXPLAIN (FORMAT JSON)."""
    return float(plan["Plan"]["Total Cost"])


def find_wanted(plan: Mapping[str, Any], rows: Mapping[tuple[str, str], float], least_rows: float) -> list[Wanted]:
    """Return the candidates for a plan from EXPLAIN (VERBOSE, FORMAT JSON).

    `rows` maps (schema, table) to a number of rows; tables with fewer than `least_rows` are left out.
    """
    found: dict[Wanted, None] = {}
    for node, joins, sort in _nodes(plan["Plan"], (), ()):
        key = (node.get("Schema", ""), node.get("Relation Name", ""))
        if not node["Node Type"].endswith("Seq Scan") or rows.get(key, 0.0) < least_rows:
            continue
        equal, ranged = _compared(node.get("Filter"), node["Alias"])
        joined = [column for condition in joins for column in _compared(condition, node["Alias"])[0]]
        sorted_by = [column for text in sort for column in _columns([text], node["Alias"])]
        for first in (equal, [*equal, *joined]) if equal else (joined,):
            for last in ([], ranged[:1], sorted_by):
                columns = tuple(dict.fromkeys([*first, *last]))
                if columns:
                    found[Wanted(*key, columns[:4])] = None
    return list(found)


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


def _compared(condition: str | None, alias: str) -> tuple[list[str], list[str]]:
    """Return the columns of `alias` that are compared for equality, and those compared with a range."""
    equal: list[str] = []
    ranged: list[str] = []
    for part in _conjuncts(condition or ""):
        match = _COMPARISON.match(part)
        if match is None:
            continue
        sides = {side: _columns([match[side]], alias) for side in ("left", "right")}
        # An index cannot look up a column that is compared with one of the same table.
        if bool(sides["left"]) == bool(sides["right"]):
            continue
        column = (sides["left"] or sides["right"])[0]
        if match["operator"] in _EQUAL:
            equal.append(column)
        elif match["operator"] in _RANGE:
            ranged.append(column)
    return equal, ranged


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


def _columns(texts: list[str], alias: str) -> list[str]:
    found = []
    for text in texts:
        match = _REFERENCE.match(re.sub(r" (ASC|DESC|NULLS FIRST|NULLS LAST)\b", "", text).strip())
        if match is not None and _unquoted(match["alias"]) == alias:
            found.append(_unquoted(match["column"]))
    return found


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
