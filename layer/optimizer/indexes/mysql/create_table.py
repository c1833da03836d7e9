"""Takes what SHOW CREATE TABLE prints apart: pure, with the server's own quoting kept as it is."""

import re
from collections.abc import Iterator

from optimizer.indexes.mysql.identifiers import unquoted

_INDEX = re.compile(r"(PRIMARY KEY|(?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY (`(?:[^`]|``)*`))", re.DOTALL)
# A quoted name, a string, a parenthesis, a comma, or text between them.
_PIECE = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|[(),]|[^`'(),]+", re.DOTALL)


def index_clauses(create_table: str) -> dict[str, str]:
    """Name of each index (PRIMARY is PRIMARY) and its clause, ready to follow ALTER TABLE ... ADD."""
    clauses: dict[str, str] = {}
    for element in _elements(create_table):
        found = _INDEX.match(element)
        if found:
            name = "PRIMARY" if found[2] is None else unquoted(found[2])
            clauses[name] = element
    return clauses


def _elements(create_table: str) -> Iterator[str]:
    """What stands between the commas of the outermost parentheses."""
    depth = 0
    element: list[str] = []
    for piece in _PIECE.findall(create_table):
        depth += piece == "("
        if depth == 0:
            continue
        depth -= piece == ")"
        if depth == 0 or (depth == 1 and piece == ","):
            yield "".join(element).strip()
            element = []
            if depth == 0:
                return
        elif element or depth > 1 or piece != "(":
            element.append(piece)
