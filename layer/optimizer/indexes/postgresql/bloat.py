"""How much of an index of PostgreSQL a rebuild would free, in two steps: from the planner's statistics for every btree,
and, before anything is rebuilt, from the pages themselves (pgstatindex) for a shortlist under a byte budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.core import Risk, data_size
from optimizer.indexes.model.catalog import Catalog, Constraint, Index, IndexPages
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.new_finding import about_index
from optimizer.indexes.postgresql.layout import distinct_is_certain, fresh_pages

_DEFAULT_FILLFACTOR = 90
# Autovacuum analyses a table from there on.
_STALE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Bloat:
    """The share of an index (0 to 1) that a rebuild frees, and the bytes. `method` is `pgstatindex` or `statistics`;
    `is_lower_bound`: it may be more, because columns that go together share more entries than is known."""

    share: float
    saves_bytes: int
    method: str
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class BloatLimits:
    """What is worth a rebuild, and only when it was so in `looks` runs, because freed pages are used again."""

    least_share: float = 0.5
    least_bytes: int = 100 * 2**20
    looks: int = 2
    measured_bytes: int = 4 * 2**30
    pending_list_bytes: int = 4 * 2**20


def estimate_bloat(index: Index, block_bytes: int, measured: IndexPages | None = None) -> Bloat | None:
    """The bloat of a btree; None where it cannot be known: not analysed, not a btree, or not readable."""
    if index.method != "btree" or not index.size_bytes or index.is_partitioned:
        return None
    if measured is not None and measured.file_node == index.file_node:
        return _from_pages(index, block_bytes, measured)
    pages = fresh_pages(index, block_bytes)
    if pages is None:
        return None
    return _bloat(index.size_bytes, pages * block_bytes, "statistics", not distinct_is_certain(index))


def choose_indexes_to_measure(catalog: Catalog, limits: BloatLimits | None = None) -> list[Index]:
    """The indexes whose pages are worth counting, most wasted bytes first, as many as the byte budget allows; and GIN
    indexes, of which only one page is read."""
    limits = limits or BloatLimits()
    budget, chosen = limits.measured_bytes, []
    for index, bloat in sorted(_estimated(catalog), key=lambda pair: -pair[1].saves_bytes):
        size = index.size_bytes or 0
        worth = bloat.saves_bytes >= limits.least_bytes / 2 and bloat.share >= limits.least_share / 2
        unsure = bloat.is_lower_bound and size >= limits.least_bytes
        if (worth or unsure) and size <= budget:
            budget -= size
            chosen.append(index)
    return chosen + [index for index in catalog.indexes if index.method == "gin" and index.is_valid]


def find_bloated(
    catalog: Catalog,
    measured: Mapping[int, IndexPages] | None = None,
    earlier: Sequence[Mapping[int, float]] = (),
    limits: BloatLimits | None = None,
) -> list[Finding]:
    """A finding for each index with bloat worth a rebuild. `measured` by oid; `earlier` the shares that runs before
    found, by file node, newest last: a rebuild is proposed once `limits.looks` runs in a row agree."""
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
    """The share of bloat of each index by its file node: to be kept for later runs."""
    pairs = ((index, estimate_bloat(index, catalog.server.block_bytes, (measured or {}).get(index.oid or 0)))
             for index in catalog.indexes)  # fmt: skip
    return {index.file_node: bloat.share for index, bloat in pairs if bloat is not None and index.file_node is not None}


def _from_pages(index: Index, block_bytes: int, measured: IndexPages) -> Bloat:
    """Live entries packed to the fillfactor; deleted and empty pages count as free."""
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
        f"{bloat.share:.0%} of {index.name} ({data_size(bloat.saves_bytes)} of {data_size(size)}) is space that "
        f"a rebuild would free, by {'its pages' if bloat.method == 'pgstatindex' else 'an estimate from statistics'}"
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
        blocked = f"it was so in {seen} of the last {limits.looks} runs, and freed pages may be used again"
    if blocked is not None:
        reason += f". Nothing is done now, because {blocked}"
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
        return "an index of an exclusion constraint cannot be rebuilt while the table is written to"
    table = next((table for table in catalog.tables if table.oid == index.table_oid), None)
    changed = None if table is None else table.modified_since_analyze
    if bloat.method == "statistics" and (changed or 0) > _STALE_SHARE * (index.rows or 0.0):
        return "much of the table changed since it was last analysed: analyse it, then look again"
    return None


def _pending(catalog: Catalog, index: Index, pages: IndexPages) -> Finding:
    size = (pages.pending_pages or 0) * catalog.server.block_bytes
    reason = f"{index.name} has {data_size(size)} of entries that each search reads one by one until they are merged."
    evidence = {"pending_pages": pages.pending_pages}
    return about_index(catalog, index, Kind.PENDING_LIST, Action.CLEAN_PENDING_LIST, reason, evidence=evidence)
