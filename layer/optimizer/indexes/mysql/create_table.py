"""Reads the indexes out of the output of SHOW CREATE TABLE, in the server's own quoting. Pure."""

import re
from collections.abc import Iterator

_INDEX = re.compile(r"(PRIMARY KEY|(?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY (`(?:[^`]|``)*`))", re.DOTALL)
# A quoted name, a string, a parenthesis, a comma, or text between them.
_PIECE = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|[(),]|[^`'(),]+", re.DOTALL)


def index_clauses(create_table: str) -> dict[str, str]:
    """Return the clause of each index by its name (PRIMARY for the primary key), to follow ALTER TABLE ... ADD."""
    clauses: dict[str, str] = {}
    for element in _elements(create_table):
        found = _INDEX.match(element)
        if found:
            name = "PRIMARY" if found[2] is None else unquoted(found[2])
            clauses[name] = element
    return clauses


def _elements(create_table: str) -> Iterator[str]:
    """Yield the elements that commas separate inside the outermost parentheses."""
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


# The schemas that belong to the server itself.
SYSTEM_SCHEMAS = ("mysql", "sys", "information_schema", "performance_schema")


def quoted(name: str) -> str:
    """Return the name in backticks; a backtick inside it is doubled, as by the server's sys.quote_identifier()."""
    return "`" + name.replace("`", "``") + "`"


def unquoted(name: str) -> str:
    """Return the name without its backticks, if it has any."""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
