"""Bloat of PostgreSQL indexes: the space that a rebuild frees.

It is found in two steps: an estimate from the planner's statistics for every btree and, before anything is rebuilt, a
count of the pages (pgstatindex) for a shortlist within a budget of bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.core import Risk, data_size
from optimizer.indexes.model import Action, Catalog, Constraint, Finding, Index, IndexPages, Kind, about_index
from optimizer.indexes.postgresql.layout import distinct_is_certain, fresh_pages

_DEFAULT_FILLFACTOR = 90
# The share of changed rows from which autovacuum analyses a table.
_STALE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Bloat:
    """The share of an index (0 to 1) and the bytes that a rebuild frees.

    `method` is `pgstatindex` or `statistics`. `is_lower_bound` is true if correlated columns may share more entries
    than the statistics show, so that a rebuild may free more.
    """

    share: float
    saves_bytes: int
    method: str
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class BloatLimits:
    """The limits from which an index is worth a rebuild."""

    # Both must be exceeded, and in so many runs in a row, because the server reuses freed pages.
    least_share: float = 0.5
    least_bytes: int = 100 * 2**20
    looks: int = 2
    # The pages of indexes up to this total size are counted in a run.
    measured_bytes: int = 4 * 2**30
    # A longer pending list of a GIN index is cleaned.
    pending_list_bytes: int = 4 * 2**20


def estimate_bloat(index: Index, block_bytes: int, measured: IndexPages | None = None) -> Bloat | None:
    """Return the bloat of a btree, or None if it is unknown: not a btree, not analysed, or not readable."""
    if index.method != "btree" or not index.size_bytes or index.is_partitioned:
        return None
    if measured is not None and measured.file_node == index.file_node:
        return _from_pages(index, block_bytes, measured)
    pages = fresh_pages(index, block_bytes)
    if pages is None:
        return None
    return _bloat(index.size_bytes, pages * block_bytes, "statistics", not distinct_is_certain(index))


def choose_indexes_to_measure(catalog: Catalog, limits: BloatLimits | None = None) -> list[Index]:
    """Return the indexes whose pages are worth counting: those with the most bloat within the budget of bytes, then
    those of which statistics tell nothing, the largest first, and all GIN indexes, because only one page of them is
    read."""
    limits = limits or BloatLimits()
    budget, chosen, block = limits.measured_bytes, [], catalog.server.block_bytes
    for index, bloat in sorted(_estimated(catalog), key=lambda pair: -pair[1].saves_bytes):
        size = index.size_bytes or 0
        worth = bloat.saves_bytes >= limits.least_bytes / 2 and bloat.share >= limits.least_share / 2
        unsure = bloat.is_lower_bound and size >= limits.least_bytes
        if (worth or unsure) and size <= budget:
            budget -= size
            chosen.append(index)
    for index in sorted(catalog.indexes, key=lambda index: -(index.size_bytes or 0)):
        size = index.size_bytes or 0
        is_unknown = index.method == "btree" and index.is_valid and not index.is_partitioned
        if is_unknown and limits.least_bytes <= size <= budget and estimate_bloat(index, block) is None:
            budget -= size
            chosen.append(index)
    return chosen + [index for index in catalog.indexes if index.method == "gin" and index.is_valid]


def find_bloated(
    catalog: Catalog,
    measured: Mapping[int, IndexPages] | None = None,
    earlier: Sequence[Mapping[int, float]] = (),
    limits: BloatLimits | None = None,
) -> list[Finding]:
    """Return a finding for each index whose bloat is worth a rebuild, and for each long pending list.

    `measured` holds page counts by oid. `earlier` holds the shares of bloat that earlier runs found, by file node,
    newest last: a rebuild is proposed once `limits.looks` runs in a row agree.
    """
    measured, limits = measured or {}, limits or BloatLimits()
    found = []
    for index in catalog.indexes:
        if index.extension is not None or not index.is_valid:
            continue
        pages = measured.get(index.oid or 0)
        bloat = estimate_bloat(index, catalog.server.block_bytes, pages)
        if bloat is not None and bloat.saves_bytes >= limits.least_bytes and bloat.share >= limits.least_share:
            found.append(_finding(catalog, index, bloat, earlier, limits))
        if pages is not None and (pages.pending_pages or 0) * catalog.server.block_bytes > limits.pending_list_bytes:
            found.append(_pending(catalog, index, pages))
    return found


def bloat_shares(catalog: Catalog, measured: Mapping[int, IndexPages] | None = None) -> dict[int, float]:
    """Return the share of bloat of each index by its file node, for later runs."""
    pairs = ((index, estimate_bloat(index, catalog.server.block_bytes, (measured or {}).get(index.oid or 0)))
             for index in catalog.indexes)  # fmt: skip
    return {index.file_node: bloat.share for index, bloat in pairs if bloat is not None and index.file_node is not None}


def _from_pages(index: Index, block_bytes: int, measured: IndexPages) -> Bloat:
    """Return the bloat from page counts: live entries packed to the fillfactor, deleted and empty pages free."""
    fillfactor = float(index.options.get("fillfactor", _DEFAULT_FILLFACTOR))
    density = measured.average_leaf_density or 0.0
    leaves = measured.leaf_pages * min(density / fillfactor, 1.0)
    internal = measured.internal_pages * (leaves / measured.leaf_pages if measured.leaf_pages else 0.0)
    return _bloat(measured.index_bytes, (leaves + internal + 1) * block_bytes, "pgstatindex", lower_bound=False)


def _bloat(size: int, needed: float, method: str, lower_bound: bool) -> Bloat:
    saves = max(size - needed, 0.0)
    return Bloat(saves / size if size else 0.0, int(saves), method, lower_bound)


def _estimated(catalog: Catalog) -> list[tuple[Index, Bloat]]:
    pairs = [(index, estimate_bloat(index, catalog.server.block_bytes)) for index in catalog.indexes if index.is_valid]
    return [(index, bloat) for index, bloat in pairs if bloat is not None]


def _finding(
    catalog: Catalog, index: Index, bloat: Bloat, earlier: Sequence[Mapping[int, float]], limits: BloatLimits
) -> Finding:
    runs = list(earlier)[-(limits.looks - 1) :] if limits.looks > 1 else []
    seen = 1 + sum(run.get(index.file_node or 0, 0.0) >= limits.least_share for run in runs)
    size = index.size_bytes or 0
    reason = (
        f"A rebuild of {index.name} frees {data_size(bloat.saves_bytes)} of {data_size(size)} ({bloat.share:.0%}), "
        f"{'counted in its pages' if bloat.method == 'pgstatindex' else 'estimated from statistics'}"
    )
    evidence: dict[str, Any] = {
        "share": round(bloat.share, 3),
        "method": bloat.method,
        "is_lower_bound": bloat.is_lower_bound,
        "seen_in_runs": seen,
        "definition": index.definition,
    }
    blocked = _why_no_rebuild(catalog, index, bloat)
    if blocked is None and seen < limits.looks:
        blocked = f"{seen} of the last {limits.looks} runs found it, and the server may reuse freed pages"
    if blocked is not None:
        reason += f". Nothing is proposed now, because {blocked}"
    return about_index(
        catalog,
        index,
        Kind.BLOATED,
        Action.NONE if blocked else Action.REINDEX,
        f"{reason}.",
        Risk.LOW,
        evidence=evidence,
        saves_bytes=bloat.saves_bytes,
    )


def _why_no_rebuild(catalog: Catalog, index: Index, bloat: Bloat) -> str | None:
    if index.constraint is Constraint.EXCLUSION:
        return "PostgreSQL cannot rebuild an index of an exclusion constraint while the table is written to"
    table = next((table for table in catalog.tables if table.oid == index.table_oid), None)
    changed = None if table is None else table.modified_since_analyze
    if bloat.method == "statistics" and (changed or 0) > _STALE_SHARE * (index.rows or 0.0):
        return f"more than {_STALE_SHARE:.0%} of the table changed since the last ANALYZE, which must come first"
    return None


def _pending(catalog: Catalog, index: Index, pages: IndexPages) -> Finding:
    size = (pages.pending_pages or 0) * catalog.server.block_bytes
    reason = f"The pending list of {index.name} holds {data_size(size)} that each search reads until it is merged."
    evidence = {"pending_pages": pages.pending_pages}
    return about_index(catalog, index, Kind.PENDING_LIST, Action.CLEAN_PENDING_LIST, reason, evidence=evidence)
