"""Reads which columns a normalised statement of MySQL or MariaDB compares and sorts by. Pure.

Only unambiguous statements are read: one table, conditions joined by AND. Every other statement gives None.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.indexes.mysql.create_table import unquoted

_PIECE = re.compile(r"`(?:[^`]|``)*`|/\*.*?\*/|[\w$@\x80-\U0010ffff]+|\.\.\.|<=>|[<>!]=|<>|\S", re.DOTALL)
_CLAUSES = ("WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "FOR", "LOCK", "PROCEDURE", "INTO", "WINDOW")
_NOT_SIMPLE = frozenset({"JOIN", "STRAIGHT_JOIN", "UNION", "EXCEPT", "INTERSECT", "OR", "||", "XOR", "WITH"})
_AGGREGATES = frozenset({"COUNT", "SUM", "AVG", "MIN", "MAX", "GROUP_CONCAT", "DISTINCT", "GROUP", "LIMIT", "EXISTS"})
_EQUAL = frozenset({"=", "<=>", "IN"})
_RANGE = frozenset({"<", ">", "<=", ">=", "BETWEEN"})


@dataclass(frozen=True, slots=True)
class TableQuery:
    """The demands of a statement on its one table.

    equal: the columns that are compared with a value, in their order in the statement.
    between: the columns that are compared with a range.
    sorted_by: the columns of ORDER BY, all in one direction.
    counts_rows: False where the rows sent are not those that the conditions choose (aggregates, DISTINCT, LIMIT).
    """

    table: str
    equal: tuple[str, ...]
    between: tuple[str, ...]
    sorted_by: tuple[str, ...]
    has_limit: bool
    counts_rows: bool


def read_query(text: str, columns: Sequence[str]) -> TableQuery | None:
    """Return what the statement demands of its one table, which has these columns; None if it is not that simple."""
    pieces = _PIECE.findall(text)
    words = [piece.upper() for piece in pieces]
    if not words or words[0] not in ("SELECT", "UPDATE", "DELETE"):
        return None
    if words.count("SELECT") > (words[0] == "SELECT") or _NOT_SIMPLE & set(words):
        return None
    table = table_of(text)
    if table is None or ("WHERE" not in words and "ORDER" not in words):
        return None
    known = {column.lower(): column for column in columns}
    equal: list[str] = []
    between: list[str] = []
    for condition in _conditions(_clause(pieces, words, "WHERE")):
        column, operator = _compared(condition, known)
        if column is not None and operator in _EQUAL:
            equal.append(column)
        elif column is not None and operator in _RANGE:
            between.append(column)
    return TableQuery(
        table=table,
        equal=tuple(dict.fromkeys(equal)),
        between=tuple(column for column in dict.fromkeys(between) if column not in equal),
        sorted_by=_sorted_by(_clause(pieces, words, "ORDER")[1:], known),
        has_limit="LIMIT" in words,
        counts_rows=not _AGGREGATES & set(words),
    )


def table_of(text: str) -> str | None:
    """Return the only table of a simple statement; None for any other statement."""
    pieces = _PIECE.findall(text)
    words = [piece.upper() for piece in pieces]
    if words[:1] == ["UPDATE"]:
        start = 1
    elif words[:1] in (["SELECT"], ["DELETE"]) and "FROM" in words:
        start = words.index("FROM") + 1
    else:
        return None
    end = next((n for n in range(start, len(words)) if words[n] in (*_CLAUSES, "SET")), len(words))
    names = pieces[start:end]
    if not names or "," in names or "(" in names[:1]:
        return None
    return unquoted(names[2] if len(names) > 2 and names[1] == "." else names[0])


def _clause(pieces: Sequence[str], words: Sequence[str], name: str) -> list[str]:
    """Return the part after the word, up to the next clause outside parentheses."""
    if name not in words:
        return []
    found: list[str] = []
    depth = 0
    for piece, word in zip(pieces[words.index(name) + 1 :], words[words.index(name) + 1 :], strict=True):
        depth += (piece == "(") - (piece == ")")
        if depth == 0 and word in _CLAUSES:
            break
        found.append(piece)
    return found


def _conditions(pieces: Sequence[str]) -> list[list[str]]:
    """Split at each AND, except the one of BETWEEN."""
    found: list[list[str]] = [[]]
    depth, in_between = 0, False
    for piece in pieces:
        depth += (piece == "(") - (piece == ")")
        word = piece.upper()
        if word == "BETWEEN":
            in_between = True
        if depth == 0 and word == "AND" and not in_between:
            found.append([])
            continue
        if word == "AND":
            in_between = False
        found[-1].append(piece)
    return found


def _compared(condition: Sequence[str], known: dict[str, str]) -> tuple[str | None, str]:
    """Return the column and the operator of `column operator value`; no column for any other condition."""
    left, rest = _name(condition)
    column = known.get(left.lower())
    if column is None or not rest:
        return None, ""
    operator = rest[0].upper()
    if operator == "IS" and [piece.upper() for piece in rest[1:]] == ["NULL"]:
        return column, "="
    # The other side is a value only if it contains no name of a column.
    if any(piece.startswith("`") or piece.lower() in known for piece in rest[1:]):
        return None, ""
    return column, operator


def _name(pieces: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the last part of a name, which its table may precede, and the pieces after it."""
    position = 0
    while position + 2 < len(pieces) and pieces[position + 1] == ".":
        position += 2
    return (unquoted(pieces[position]), pieces[position + 1 :]) if pieces else ("", ())


def _sorted_by(pieces: Sequence[str], known: dict[str, str]) -> tuple[str, ...]:
    """Return the columns of ORDER BY; nothing if it has expressions or several directions."""
    parts: list[list[str]] = [[]]
    for piece in pieces:
        if piece == ",":
            parts.append([])
        else:
            parts[-1].append(piece)
    found: list[str] = []
    directions = set()
    for part in parts:
        name, rest = _name(part)
        if name.lower() not in known or len(rest) > 1:
            return ()
        directions.add("".join(rest).upper() or "ASC")
        found.append(known[name.lower()])
    return tuple(found) if len(directions) == 1 else ()
