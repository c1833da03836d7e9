"""Duplicate and redundant indexes of PostgreSQL, settled together for each table so that of two that cover each other
one always stays."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from optimizer.core import Risk
from optimizer.indexes.model.catalog import Catalog, Constraint, Index
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.new_finding import about_index, kept_beside
from optimizer.indexes.model.redundancy import choose_dropped
from optimizer.indexes.postgresql.cover import have_same_keys, looks_covered, why_never_dropped, why_not_covered


@dataclass(frozen=True, slots=True)
class RedundancyLimits:
    """When a narrow index earns its place beside a wide one: it is used at least `hot_scans_day` times a day, and the
    wide one is `times_wider` larger and at least `wide_bytes`."""

    hot_scans_day: float = 1000.0
    times_wider: float = 5.0
    wide_bytes: int = 64 * 2**20


def find_redundant(catalog: Catalog, limits: RedundancyLimits | None = None) -> list[Finding]:
    """A finding for each index that another covers, and one for each that looks so and is kept."""
    limits = limits or RedundancyLimits()
    not_null = {
        (table.schema, table.name, column.name): column.not_null for table in catalog.tables for column in table.columns
    }
    by_table: dict[tuple[str, str], list[Index]] = defaultdict(list)
    for index in catalog.indexes:
        if index.is_valid and index.is_ready and index.is_live and index.qualified_table[0] != "pg_toast":
            by_table[index.qualified_table].append(index)
    found: list[Finding] = []
    for indexes in by_table.values():
        found += _of_table(catalog, indexes, not_null, limits)
    return found


def _of_table(
    catalog: Catalog, indexes: list[Index], not_null: Mapping[tuple[str, str, str], bool], limits: RedundancyLimits
) -> list[Finding]:
    covering = {
        index.name: [
            other
            for other in indexes
            if other is not index
            and why_not_covered(index, other, not_null) is None
            and not _earns_its_place(catalog, index, other, limits)
        ]
        for index in indexes
    }
    dropped = choose_dropped(
        indexes, covering, is_never_dropped=lambda index: why_never_dropped(index) is not None, worth=_worth
    )
    found: list[Finding] = []
    for index in indexes:
        staying = [other for other in covering[index.name] if other.name not in dropped]
        if index.name in dropped:
            found.append(_superfluous(catalog, index, min(staying, key=lambda other: _closeness(index, other))))
        else:
            found += _kept(catalog, index, indexes, dropped, not_null, limits)
    return found


def _worth(index: Index) -> tuple[bool, bool, bool, bool, bool, bool, int, int]:
    """Which of two equal indexes stays: the greater."""
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


def _earns_its_place(catalog: Catalog, narrow: Index, wide: Index, limits: RedundancyLimits) -> bool:
    if have_same_keys(narrow, wide) or narrow.scans is None or catalog.server.counted_since is None:
        return False
    days = max((catalog.server.read_at - catalog.server.counted_since) / timedelta(days=1), 1.0)
    wide_bytes = wide.size_bytes or 0
    much_wider = wide_bytes >= limits.wide_bytes and wide_bytes >= limits.times_wider * (narrow.size_bytes or 0)
    return much_wider and narrow.scans / days >= limits.hot_scans_day


def _superfluous(catalog: Catalog, index: Index, by: Index) -> Finding:
    equal = have_same_keys(index, by)
    words = "has the same keys as" if equal else "is a prefix of"
    also = ", and both are unique" if index.is_unique else ""
    how = "" if not index.is_partitioned else "; a partitioned index can only be dropped with its table locked"
    return about_index(
        catalog,
        index,
        Kind.DUPLICATE if equal else Kind.REDUNDANT_PREFIX,
        Action.DROP,
        f"{index.name} {words} {by.name}{also}: what it serves, {by.name} serves{how}.",
        _risk(index, equal=equal),
        covered_by=by.name,
        saves_bytes=index.size_bytes,
        evidence={
            "definition": index.definition,
            "covered_by_definition": by.definition,
            "scans": index.scans,
            "covered_by_scans": by.scans,
            "covered_by_bytes": by.size_bytes,
            "concurrently": not index.is_partitioned,
        },
    )


def _risk(index: Index, *, equal: bool) -> Risk:
    if index.is_partitioned:
        return Risk.HIGH
    return Risk.LOW if equal and not index.is_unique else Risk.MEDIUM


def _kept(
    catalog: Catalog,
    index: Index,
    indexes: Iterable[Index],
    dropped: set[str],
    not_null: Mapping[tuple[str, str, str], bool],
    limits: RedundancyLimits,
) -> list[Finding]:
    """The reason why an index that looks covered stays; none where the one that looks covering goes itself."""
    if index.constraint is Constraint.PRIMARY:
        return []
    for other in indexes:
        if other is index or other.name in dropped or not looks_covered(index, other):
            continue
        # Of two with equal keys the one worth more is no finding of its own; parts are judged with their parents.
        if len(index.keys) == len(other.keys) and _worth(index) > _worth(other):
            continue
        if index.is_partition and other.is_partition:
            continue
        if _earns_its_place(catalog, index, other, limits):
            words: str | None = f"it is used often and {other.name} is much larger"
        else:
            words = why_not_covered(index, other, not_null) or why_never_dropped(index)
        if words is not None:
            return [kept_beside(catalog, index, other, words)]
    return []
