"""Limits the keys of a proposed index to the length that the storage engine can build. Pure."""

import re
from collections.abc import Mapping, Sequence

from optimizer.indexes.model import Column, Table

# MySQL manual, "InnoDB Limits": 3,072 bytes with pages of 16 KiB and more, less with smaller pages.
_OF_PAGE = {4096: 768, 8192: 1536}
_MOST = 3072
# One column of the older row formats.
_OLD_FORMATS, _OF_OLD_COLUMN = ("redundant", "compact"), 767
# MyISAM's limit; other engines have this one or a larger one.
_OF_OTHER_ENGINES = 1000
_LENGTH = re.compile(r"^(?:var)?(?:char|binary)\((\d+)\)", re.IGNORECASE)


def fit_keys(
    table: Table, columns: Sequence[str], *, page_bytes: int, sorted_only: Sequence[str] = ()
) -> dict[str, int | None]:
    """Return the columns that can be keys of one index, in order, each with its prefix length or None if it is whole.

    The index ends before a column that no longer fits; a prefix of a column does not give its order, so it also ends
    before a column of `sorted_only` that does not fit as a whole.
    """
    known = {column.name: column for column in table.columns}
    is_innodb = (table.storage_engine or "").lower() == "innodb"
    left = _OF_PAGE.get(page_bytes, _MOST) if is_innodb else _OF_OTHER_ENGINES
    has_old_format = is_innodb and _row_format(table.options) in _OLD_FORMATS
    found: dict[str, int | None] = {}
    for name in columns:
        allowed = min(left, _OF_OLD_COLUMN) if has_old_format else left
        needed = known[name].most_bytes or 0
        if needed <= allowed:
            found[name] = None
            left -= needed
            continue
        prefix = allowed // _bytes_a_unit(known[name])
        if prefix and name not in sorted_only:
            found[name] = prefix
        break
    return found


def _row_format(options: Mapping[str, str]) -> str:
    return options.get("row_format", "").lower()


def _bytes_a_unit(column: Column) -> int:
    """Return the bytes of one character, or of one byte of a binary column, as the prefix length counts them."""
    length = _LENGTH.match(column.data_type)
    return max(1, (column.most_bytes or 0) // max(1, int(length[1]))) if length else 1
