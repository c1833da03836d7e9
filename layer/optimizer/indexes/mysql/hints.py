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
_MAY_DEPEND_ON_ORDER = re.compile(r"\bBY\b|\bM(?:IN|AX)\s*\(|[<>]|\bBETWEEN\b|\bLIKE\b", re.IGNORECASE)
_DIGEST_LIMITS = ("max_digest_length", "performance_schema_max_digest_length")
_USUAL_DIGEST_LIMIT = 1024
# The limit is on the bytes of a statement's tokens. The text that is made of them is longer or, with many short names
# (five bytes a token for four of text), up to a fifth shorter.
_SHORTEST_CUT = 0.75
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


def why_hints_unknown(catalog: Catalog, schema: str) -> str:
    """Return why an index of the schema may be named in a hint that was not seen; empty if all were seen."""
    for part in ("statements", "prepared_statements", "stored_code"):
        if part in catalog.not_read:
            return f"{part.replace('_', ' ')} could not all be read: {catalog.not_read[part]}"
    limits = [int(catalog.server.settings[name]) for name in _DIGEST_LIMITS if name in catalog.server.settings]
    shortest_cut = _SHORTEST_CUT * min(limits, default=_USUAL_DIGEST_LIMIT)
    for statement in catalog.statements:
        text = statement.text or ""
        if statement.schema in (None, schema) and len(text.encode()) >= shortest_cut:
            return f"the server cuts the texts of long statements ({text[:60]}...)"
    return ""


def find_ordered_statements(catalog: Catalog) -> Mapping[tuple[str, str], Sequence[str]]:
    """Return, for each table, the statements and the stored code that mention it and may depend on an order."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    tables: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table in catalog.tables:
        tables[table.name.lower()].append(table.qualified)
    for schema, _, text in _texts(catalog):
        if _MAY_DEPEND_ON_ORDER.search(text):
            names = names_in(text)
            for name in names & tables.keys():
                for qualified in tables[name]:
                    if schema in (None, qualified[0]) or qualified[0].lower() in names:
                        found[qualified].append(text)
    return found


def needs_order_of(column: str, text: str) -> bool:
    """Return True if the text sorts or groups by the column, asks for its least or greatest value, or for a range."""
    name = rf"(?:`?\w+`?\s*\.\s*)*`?{re.escape(column)}`?(?![\w$])"
    start = r"(?<![\w$`])"
    return any(
        re.search(pattern, text, re.IGNORECASE | re.DOTALL)
        for pattern in (
            rf"\b(?:ORDER|GROUP|PARTITION)\s+BY\b(?:(?!\bLIMIT\b|\bSELECT\b).)*?{start}{name}",
            rf"\b(?:MIN|MAX)\s*\(\s*(?:DISTINCT\s+)?{name}",
            rf"{start}{name}\s*\)?\s*(?:[<>]|BETWEEN\b|NOT\s+BETWEEN\b|LIKE\b)",
            rf"[<>]=?\s*\(?\s*{name}",
        )
    )


def _texts(catalog: Catalog) -> Iterator[tuple[str | None, str, str]]:
    """Yield (default schema, description, text) of each statement and each piece of stored code."""
    for statement in catalog.statements:
        if statement.text:
            yield statement.schema, f"a statement ({statement.text[:80]})", statement.text
    for code in catalog.stored_code:
        yield code.schema or None, f"the {code.kind} {code.name}", code.text
