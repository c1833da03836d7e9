"""Which indexes are named in statements and stored code: hiding or dropping such an index makes them fail (error 1176)
or lose their plan. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from optimizer.indexes.catalog import Catalog

_NAME = r"(?:`(?:[^`]|``)*`|[\w$\x80-\U0010ffff]+)"
_TABLE_HINT = re.compile(
    rf"\b(?:USE|FORCE|IGNORE)\s+(?:INDEX|KEY)\s*(?:FOR\s+(?:JOIN|ORDER\s+BY|GROUP\s+BY)\s*)?"
    rf"\(\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*\)",
    re.IGNORECASE,
)
_OPTIMIZER_HINT = re.compile(
    r"\b(?:NO_)?(?:INDEX|JOIN_INDEX|GROUP_INDEX|ORDER_INDEX|INDEX_MERGE|MRR|NO_ICP|NO_RANGE_OPTIMIZATION)\s*"
    rf"\(\s*({_NAME}(?:[\s,@]+{_NAME})*)\s*\)",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"/\*\+.*?\*/", re.DOTALL)
_ANY_NAME = re.compile(_NAME)

type Hints = Mapping[tuple[str, str], Mapping[str, str]]


def unquoted(name: str) -> str:
    """Without its backticks."""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def named_in_hints(text: str) -> set[str]:
    """The indexes, in lower case, that the hints of a statement or of stored code name."""
    lists = [found[1] for found in _TABLE_HINT.finditer(text)]
    for comment in _COMMENT.findall(text):
        lists += [found[1] for found in _OPTIMIZER_HINT.finditer(comment)]
    return {unquoted(name).lower() for each in lists for name in _ANY_NAME.findall(each)}


def mentions(text: str, name: str) -> bool:
    """Whether the text has the name, quoted or not."""
    quoted = "`" + name.replace("`", "``") + "`"
    return quoted.lower() in text.lower() or bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE))


def index_hints(catalog: Catalog) -> Hints:
    """Of each table: name of an index in lower case, and where a hint names it."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    tables = {(index.schema, index.table, index.name.lower()) for index in catalog.indexes}
    for schema, where, text in _texts(catalog):
        names = named_in_hints(text)
        if not names:
            continue
        for of_schema, table, index in tables:
            in_scope = schema in (None, of_schema) or mentions(text, of_schema)
            if index in names and in_scope and mentions(text, table):
                found[of_schema, table].setdefault(index, where)
    return found


def _texts(catalog: Catalog) -> Iterator[tuple[str | None, str, str]]:
    for statement in catalog.statements:
        if statement.text:
            yield statement.schema, f"a statement ({statement.text[:80]})", statement.text
    for code in catalog.stored_code:
        yield code.schema, f"the {code.kind} {code.name}", code.text
