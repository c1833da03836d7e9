"""Compute the pages of a newly built PostgreSQL btree, with the arithmetic of nbtsort.c and nbtdedup.c.

From version 13 on a build stores rows of equal keys in one entry (a posting list of 6 bytes a row, up to a tenth of a
page), except in unique indexes, with INCLUDE columns, and for types whose equal values may differ, such as numeric.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from math import ceil, floor, inf, prod, sqrt

from optimizer.indexes.model.catalog import Index, KeyStatistics

_PAGE_HEADER, _SPECIAL, _LINE_POINTER = 24, 16, 4
_TUPLE_HEADER, _NULL_BITMAP, _ROW_POINTER = 8, 8, 6
_LONG_HEADER_FROM = 127
_INTERNAL_FILLFACTOR = 70
_SAMPLES = 100
# Rows were counted in a table of another size if it has grown by more than this.
_MOST_GROWTH = 1.1
_IS_NOT_NULL = re.compile(r'\(*"?(?P<column>[^"()]+)"? IS NOT NULL\)*')
# The rows of a partial index are estimated from a sample: two standard errors and a page stay within this share.
_MOST_ROWS_ERROR = 0.05
_PACES = (1, 3, 7, 9, 11, 13, 17, 19)


@dataclass(frozen=True, slots=True)
class Entries:
    """Index entries of one size: their number, and the bytes of each with and without its posting list."""

    count: float
    size: float
    key_size: float


def fresh_pages(index: Index, block_bytes: int) -> float | None:
    """Return the pages of the index after a rebuild, or None if statistics cannot tell: it is not a btree, rows or
    widths are unknown, too few rows of a partial index were sampled, its predicate selects what the statistics of the
    table do not tell apart, the table has grown since it was counted, or char(n) may or may not share entries."""
    rows = index.rows
    if index.method != "btree" or index.is_partitioned or rows is None:
        return None
    if rows < 1:
        return 1.0
    if any(part.fixed_bytes is None and part.average_bytes is None for part in index.statistics):
        return None
    selected = _of_predicate(index)
    if _is_unclear(index, selected):
        return None
    index = selected or index
    fillfactor = int(index.options.get("fillfactor", 90))
    entries = list(_entries(index, rows, block_bytes))
    count = sum(entry.count for entry in entries)
    size = sum(entry.count * entry.size for entry in entries) / count
    key_size = sum(entry.count * entry.key_size for entry in entries) / count
    even = all(part.fixed_bytes is not None for part in index.statistics)
    leaves = ceil(count / _a_page(size, size - key_size, fillfactor, block_bytes, even=even))
    pages = leaves + _internal_pages(leaves, key_size, block_bytes) + 1
    # A small index is wrong by a page where its rows are wrong by less.
    is_sure = index.predicate is None or _rows_error(index) + 1 / pages <= _MOST_ROWS_ERROR
    return pages if is_sure else None


def _is_unclear(index: Index, selected: Index | None) -> bool:
    """Return whether statistics cannot tell the size after a rebuild. selected: with those of its predicate's rows."""
    shares = bool(index.deduplicates) and not index.is_unique
    # Whether the server stores equal values of char(n) once depends on its build.
    if shares and any((key.opclass or "").endswith(("bpchar_ops", "bpchar_pattern_ops")) for key in index.keys):
        return True
    # Unknown where the table was never counted; `rows` is then unknown as well.
    if index.table_growth is not None and index.table_growth > _MOST_GROWTH:
        return True
    # The statistics of the whole table do not tell apart what a predicate selects.
    fixed = all(part.fixed_bytes is not None and not part.null_fraction for part in index.statistics)
    return index.predicate is not None and selected is None and (shares or not fixed)


def _rows_error(index: Index) -> float:
    """Return the share by which the rows of a partial index may be wrong, for 19 of 20 samples.

    ANALYZE counts the rows that satisfy the predicate in a sample of 300 rows for each step of the statistics target:
    the standard error of such a count is at most its square root (binomial), and zero if all rows were in the sample.
    """
    if index.sampled_share is None or not index.rows:
        return inf
    return 2 * sqrt((1 - index.sampled_share) / (index.rows * index.sampled_share))


def _of_predicate(index: Index) -> Index | None:
    """Return the index with the statistics of the rows that its predicate selects, or None if they are not known.

    `rows` of a partial index are its own already. They are known where the predicate leaves out only the rows in which
    its single column is NULL.
    """
    found = _IS_NOT_NULL.fullmatch(index.predicate or "")
    if found is None or len(index.statistics) != 1 or index.keys[0].column != found["column"]:
        return None
    part = index.statistics[0]
    left = 1 - (part.null_fraction or 0.0)
    if left <= 0:
        return None
    frequencies = tuple(min(frequency / left, 1.0) for frequency in part.common_frequencies)
    return replace(index, statistics=(replace(part, null_fraction=0.0, common_frequencies=frequencies),))


def _a_page(size: float, list_bytes: float, fillfactor: int, block_bytes: int, *, even: bool) -> float:
    """Return the number of entries that fit on a leaf page.

    The first entry of the next page, without its posting list, is also the high key of this page. A page is full when
    the free space would fall below what the fillfactor reserves, or when the next entry does not fit.
    """
    free = block_bytes - _PAGE_HEADER - _SPECIAL - 2 * _LINE_POINTER
    reserve = block_bytes * (100 - fillfactor) / 100
    entries = (free - max(reserve - list_bytes, size)) / (size + _LINE_POINTER)
    return max(1.0, floor(entries) if even else entries)


def _internal_pages(leaves: float, key_size: float, block_bytes: int) -> float:
    fan_out = (block_bytes - _PAGE_HEADER - _SPECIAL) * _INTERNAL_FILLFACTOR / 100 / (key_size + _LINE_POINTER)
    pages, level = 0.0, leaves
    while level > 1:
        level = ceil(level / max(fan_out, 2.0))
        pages += level
    return pages


def _entries(index: Index, rows: float, block_bytes: int) -> Iterator[Entries]:
    for share, parts in _strata(index.statistics):
        bitmap = _NULL_BITMAP if len(parts) < len(index.statistics) else 0
        size, left = _key_bytes(parts) + bitmap, share * rows
        groups = min(_distinct(parts, left), left)
        if len(parts) == 1:
            # For a single column the statistics contain the numbers of rows of the most common values.
            for frequency in parts[0].common_frequencies:
                yield from _entries_of_groups(index, 1.0, frequency * rows, size, block_bytes)
                left, groups = left - frequency * rows, groups - 1
        if left >= 1:
            yield from _entries_of_groups(index, max(min(groups, left), 1.0), left, size, block_bytes)


def _strata(parts: tuple[KeyStatistics, ...]) -> Iterator[tuple[float, tuple[KeyStatistics, ...]]]:
    """Yield each combination of columns that are not NULL with its share of the rows, as if columns were
    independent."""
    if not parts:
        yield 1.0, ()
        return
    null_fraction = parts[0].null_fraction or 0.0
    for share, others in _strata(parts[1:]):
        if null_fraction < 1:
            yield share * (1 - null_fraction), (parts[0], *others)
        if null_fraction > 0:
            yield share * null_fraction, others


def distinct_is_certain(index: Index) -> bool:
    """Tell whether the number of rows that share an entry is known, without assuming independent columns."""
    if not index.deduplicates or index.is_unique:
        return True
    distinct = [part.distinct for part in index.statistics]
    if any(number is None for number in distinct) or index.rows is None:
        return False
    return len(distinct) == 1 or max(number or 0.0 for number in distinct) >= 0.9 * index.rows


def _distinct(parts: tuple[KeyStatistics, ...], rows: float) -> float:
    """Return the number of distinct keys as if columns were independent, which is too many if they are correlated."""
    if any(part.distinct is None for part in parts):
        return rows
    return max(prod(part.distinct or 1.0 for part in parts), 1.0)


def _entries_of_groups(
    index: Index, groups: float, rows: float, key_size: float, block_bytes: int
) -> Iterator[Entries]:
    """Yield the entries of `rows` rows that are spread evenly over `groups` distinct keys."""
    longest = (block_bytes // 10) // 8 * 8 - _LINE_POINTER
    in_list = floor((longest // 8 * 8 - key_size) / _ROW_POINTER)
    shares = index.deduplicates and not index.is_unique and in_list >= 2
    a_group = rows / groups
    if not shares or a_group <= 1:
        yield Entries(rows, key_size, key_size)
        return
    # The mean is not a whole number: some groups have one row more than the others.
    larger = a_group - floor(a_group)
    for size, number in ((floor(a_group), groups * (1 - larger)), (floor(a_group) + 1, groups * larger)):
        full, left = divmod(size, in_list)
        if full:
            yield Entries(number * full, _aligned(key_size + _ROW_POINTER * in_list), key_size)
        if left == 1:
            yield Entries(number, key_size, key_size)
        elif left:
            yield Entries(number, _aligned(key_size + _ROW_POINTER * left), key_size)


def _key_bytes(parts: tuple[KeyStatistics, ...]) -> float:
    """Return the mean size of an entry without its posting list, over samples of the lengths of the values."""
    lengths = [list(islice(cycle(_lengths(part)), _SAMPLES)) for part in parts]
    total = 0.0
    for sample in range(_SAMPLES):
        end = 0.0
        for part, widths, pace in zip(parts, lengths, cycle(_PACES), strict=False):
            # Each column steps through its samples at its own pace, so that the lengths of columns are not paired.
            width = widths[sample * pace % _SAMPLES]
            start = end
            if part.fixed_bytes is not None or width >= _LONG_HEADER_FROM:
                start = ceil(end / part.alignment) * part.alignment
                width += 3 if part.fixed_bytes is None else 0
            end = start + width
        total += _aligned(_TUPLE_HEADER + end)
    return total / _SAMPLES


def _lengths(part: KeyStatistics) -> list[float]:
    """Return about a hundred lengths of values, in proportion to the rows that have them."""
    if part.fixed_bytes is not None:
        return [float(part.fixed_bytes)]
    common = list(zip(part.common_bytes, part.common_frequencies, strict=False))
    share = sum(frequency for _, frequency in common) / max(1 - (part.null_fraction or 0.0), 1e-9)
    lengths = [float(length) for length, frequency in common for _ in range(round(_SAMPLES * frequency))]
    wanted = round(_SAMPLES * max(1 - share, 0.0))
    lengths += [float(length) for length in islice(cycle(part.sample_bytes), wanted if part.sample_bytes else 0)]
    return lengths or [round(part.average_bytes or 0.0) * 1.0]


def _aligned(size: float) -> float:
    return ceil(size / 8) * 8.0
