"""Finds the indexes that hints in statements and stored code name. Pure.

Without such an index they fail (error 1176) or lose their plan, so it is neither hidden nor dropped.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.mysql.create_table import unquoted

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


def named_in_hints(text: str) -> set[str]:
    """Return the indexes, in lower case, that the hints of a statement or of stored code name."""
    lists = [found[1] for found in _TABLE_HINT.finditer(text)]
    for comment in _COMMENT.findall(text):
        lists += [found[1] for found in _OPTIMIZER_HINT.finditer(comment)]
    return {unquoted(name).lower() for each in lists for name in _ANY_NAME.findall(each)}


def names_in(text: str) -> set[str]:
    """Return every word of the text that may be a name, in lower case."""
    return {unquoted(name).lower() for name in _ANY_NAME.findall(text)}


def find_hinted_indexes(catalog: Catalog) -> Hints:
    """Return, for each table, the names (in lower case) of indexes in hints, and where each hint is."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    by_name: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for index in catalog.indexes:
        by_name[index.name.lower()].add(index.qualified_table)
    for schema, source, text in _texts(catalog):
        hinted = named_in_hints(text)
        names = names_in(text) if hinted else set()
        for index_name in hinted:
            for table in by_name.get(index_name, ()):
                in_scope = schema in (None, table[0]) or table[0].lower() in names
                if in_scope and table[1].lower() in names:
                    found[table].setdefault(index_name, source)
    return found


def find_sorting_statements(catalog: Catalog) -> Mapping[tuple[str, str], Sequence[str]]:
    """Return, for each table, the statements with ORDER BY that mention it."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    tables = {(table.schema, table.name.lower()): table.qualified for table in catalog.tables}
    for statement in catalog.statements:
        text = statement.text or ""
        if "ORDER BY" in text.upper():
            for name in names_in(text):
                table = tables.get((statement.schema or "", name))
                if table is not None:
                    found[table].append(text)
    return found


def _texts(catalog: Catalog) -> Iterator[tuple[str | None, str, str]]:
    """Yield (default schema, description, text) of each statement and each piece of stored code."""
    for statement in catalog.statements:
        if statement.text:
            yield statement.schema, f"a statement ({statement.text[:80]})", statement.text
    for code in catalog.stored_code:
        yield code.schema, f"the {code.kind} {code.name}", code.text
