"""Reads the indexes out of the output of SHOW CREATE TABLE, in the server's own quoting. Pure.

The text is taken apart by its tokens, never by lines or words: names may hold line breaks, and comments and strings may
hold text that looks like an index. The session must have neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES in its sql_mode.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from optimizer.core import OptimizerError

_INDEX = re.compile(
    r"(?:(?P<primary>PRIMARY) KEY|(?:(?P<kind>UNIQUE|FULLTEXT|SPATIAL|VECTOR) )?KEY (?P<name>`(?:[^`]|``)*`))\s*",
    re.DOTALL,
)
# A quoted name, a string, a parenthesis, a comma, or text between them.
_PIECE = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|[(),]|[^`'(),]+", re.DOTALL)
_HIDDEN = re.compile(r"\s*(?:/\*!80000 INVISIBLE \*/|\bIGNORED\b)")


class UnreadableDefinition(OptimizerError, ValueError):
    """The output of SHOW CREATE TABLE cannot be taken apart."""


@dataclass(frozen=True, slots=True)
class IndexClause:
    """The definition of one index.

    `kind`: PRIMARY, UNIQUE, FULLTEXT, SPATIAL, VECTOR or empty. `text`: the whole clause, to follow ALTER TABLE ...
    ADD. `shape`: keys and options, without the word that hides it. `has_period`: its periods must not overlap.
    """

    name: str
    kind: str
    text: str
    shape: str
    is_visible: bool
    has_period: bool


def read_index_clauses(create_table: str) -> dict[str, IndexClause]:
    """Return the index definitions by name (PRIMARY for the primary key); raise UnreadableDefinition."""
    found = (_index_clause(element) for element in _elements(create_table))
    return {clause.name: clause for clause in found if clause is not None}


def _index_clause(element: Sequence[str]) -> IndexClause | None:
    """Return the definition in an element of the table; None if the element is no index."""
    text = "".join(element).strip()
    found = _INDEX.match(text)
    if found is None:
        return None
    kept: list[str] = []
    is_visible, has_period, depth = True, False, 0
    for piece in _pieces(text[found.end() :]):
        depth += (piece == "(") - (piece == ")")
        shown = piece
        if depth == 0 and piece[0] not in "`'":
            shown = _HIDDEN.sub("", piece)
            is_visible = is_visible and shown == piece
        elif depth and piece[0] not in "`'":
            has_period = has_period or "WITHOUT OVERLAPS" in piece
        kept.append(shown)
    name = unquoted(found["name"]) if found["name"] else "PRIMARY"
    kind = found["primary"] or found["kind"] or ""
    return IndexClause(name, kind, text, "".join(kept).strip(), is_visible, has_period)


def _elements(create_table: str) -> Iterator[list[str]]:
    """Yield the pieces of each element that commas separate inside the outermost parentheses."""
    depth = 0
    element: list[str] = []
    for piece in _pieces(create_table):
        depth += (piece == "(") - (piece == ")")
        if depth == 0 and piece == ")":
            yield element
            return
        if depth == 1 and piece == ",":
            yield element
            element = []
        elif depth > 1 or (depth == 1 and piece not in "()") or (depth == 1 and piece == ")"):
            element.append(piece)
    raise UnreadableDefinition("the definition of the table has no end")


def _pieces(text: str) -> Iterator[str]:
    """Yield the whole text in pieces; raise UnreadableDefinition where a quote has no end."""
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            raise UnreadableDefinition(f"the definition of the table has a quote without an end at character {at}")
        yield found[0]
        at = found.end()


# The schemas that belong to the server itself.
SYSTEM_SCHEMAS = ("mysql", "sys", "information_schema", "performance_schema")


def quoted(name: str) -> str:
    """Return the name in backticks; a backtick inside it is doubled, as by the server's sys.quote_identifier()."""
    return "`" + name.replace("`", "``") + "`"


def unquoted(name: str) -> str:
    """Return the name without its backticks, if it has any."""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
