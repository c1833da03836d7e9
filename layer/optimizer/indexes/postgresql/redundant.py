"""Find duplicate and redundant indexes of PostgreSQL.

The indexes of a table are judged together, so that one of two indexes that cover each other always stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from optimizer.core import Risk
from optimizer.indexes.model import (
    Action,
    Catalog,
    Constraint,
    Finding,
    Index,
    choose_dropped,
    covered_finding,
    kept_beside,
)
from optimizer.indexes.postgresql.cover import have_same_keys, looks_covered, why_never_dropped, why_not_covered

# A narrow index that is used so often a day is worth keeping beside a wide one that covers it, if the wide one is so
# many times larger and at least of this size.
_HOT_SCANS_DAY = 1000.0
_TIMES_WIDER = 5.0
_WIDE_BYTES = 64 * 2**20


def find_redundant(catalog: Catalog) -> list[Finding]:
    """Return a finding for each index that another covers, and for each that looks covered and is kept."""
    not_null = {
        (table.schema, table.name, column.name): column.not_null for table in catalog.tables for column in table.columns
    }
    by_table: dict[tuple[str, str], list[Index]] = defaultdict(list)
    for index in catalog.indexes:
        if index.is_valid and index.is_ready and index.is_live and index.qualified_table[0] != "pg_toast":
            by_table[index.qualified_table].append(index)
    found: list[Finding] = []
    for indexes in by_table.values():
        found += _find_in_table(catalog, indexes, not_null)
    return found


def _find_in_table(
    catalog: Catalog, indexes: list[Index], not_null: Mapping[tuple[str, str, str], bool]
) -> list[Finding]:
    covering = {
        index.name: [
            other
            for other in indexes
            if other is not index
            and why_not_covered(index, other, not_null) is None
            and not _is_worth_keeping(catalog, index, other)
        ]
        for index in indexes
    }
    dropped = choose_dropped(
        indexes, covering, is_never_dropped=lambda index: why_never_dropped(index) is not None, worth=_rank
    )
    found: list[Finding] = []
    for index in indexes:
        staying = [other for other in covering[index.name] if other.name not in dropped]
        if index.name in dropped:
            found.append(_redundant_finding(catalog, index, min(staying, key=lambda other: _closeness(index, other))))
        else:
            found += _kept_findings(catalog, index, indexes, dropped, not_null)
    return found


def _rank(index: Index) -> tuple[bool, bool, bool, bool, bool, bool, int, int]:
    """Return a key by which equal indexes are compared: the greatest stays."""
    return (
        why_never_dropped(index) is not None,
        index.constraint is Constraint.PRIMARY,
        index.constraint is not None,
        index.is_unique,
        index.is_clustered,
        index.is_replica_identity,
        -(index.size_bytes or 0),
        -(index.oid or 0),
    )


def _closeness(index: Index, other: Index) -> tuple[bool, int, int]:
    return not have_same_keys(index, other), other.size_bytes or 0, other.oid or 0


def _is_worth_keeping(catalog: Catalog, narrow: Index, wide: Index) -> bool:
    if have_same_keys(narrow, wide) or narrow.scans is None or catalog.server.counted_since is None:
        return False
    days = max((catalog.server.read_at - catalog.server.counted_since) / timedelta(days=1), 1.0)
    wide_bytes = wide.size_bytes or 0
    much_wider = wide_bytes >= _WIDE_BYTES and wide_bytes >= _TIMES_WIDER * (narrow.size_bytes or 0)
    return much_wider and narrow.scans / days >= _HOT_SCANS_DAY


def _redundant_finding(catalog: Catalog, index: Index, cover: Index) -> Finding:
    is_equal = have_same_keys(index, cover)
    keys = "the same keys as" if is_equal else "the first keys of"
    unique = ", and both are unique" if index.is_unique else ""
    lock = " A drop of a partitioned index locks its table." if index.is_partitioned else ""
    return covered_finding(
        catalog,
        index,
        cover,
        Action.DROP,
        f"{index.name} has {keys} {cover.name}{unique}: {cover.name} serves every query of it.{lock}",
        _risk(index, is_equal=is_equal),
        is_equal=is_equal,
        evidence={
            "scans": index.scans,
            "covered_by_scans": cover.scans,
            "concurrently": not index.is_partitioned,
        },
    )


def _risk(index: Index, *, is_equal: bool) -> Risk:
    if index.is_partitioned:
        return Risk.HIGH
    return Risk.LOW if is_equal and not index.is_unique else Risk.MEDIUM


def _kept_findings(
    catalog: Catalog,
    index: Index,
    indexes: Iterable[Index],
    dropped: set[str],
    not_null: Mapping[tuple[str, str, str], bool],
) -> list[Finding]:
    """Return a finding with the reason why an index that looks covered is kept, unless the wider one is dropped."""
    if index.constraint is Constraint.PRIMARY:
        return []
    for other in indexes:
        if other is index or other.name in dropped or not looks_covered(index, other):
            continue
        # The index that stays of two with equal keys is no finding. Parts are judged with their parents.
        if len(index.keys) == len(other.keys) and _rank(index) > _rank(other):
            continue
        if index.is_partition and other.is_partition:
            continue
        if _is_worth_keeping(catalog, index, other):
            words: str | None = f"it is used at least {_HOT_SCANS_DAY:,.0f} times a day and {other.name} is much larger"
        else:
            words = why_not_covered(index, other, not_null) or why_never_dropped(index)
        if words is not None:
            return [kept_beside(catalog, index, other, words)]
    return []
