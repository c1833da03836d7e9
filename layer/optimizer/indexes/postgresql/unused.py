"""Find indexes of PostgreSQL that no query used for weeks on any node."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from optimizer.indexes.model import (
    Catalog,
    Constraint,
    Finding,
    ForeignKey,
    Index,
    IndexId,
    IndexUsage,
    UsageLimits,
    UsageSnapshot,
    judge_usage,
    take_snapshot,
    unused_finding,
)
from optimizer.indexes.postgresql.cover import why_never_dropped
from optimizer.indexes.postgresql.foreign_keys import find_supported_foreign_key

# The access methods of PostgreSQL itself, which count scans; whether one of an extension does is up to it.
_COUNTING_METHODS = frozenset({"btree", "hash", "gist", "gin", "spgist", "brin"})


def find_unused(
    catalog: Catalog,
    snapshots: Iterable[UsageSnapshot] = (),
    *,
    nodes: Sequence[str] = (),
    needed: Collection[tuple[str, str]] = (),
    limits: UsageLimits | None = None,
) -> list[Finding]:
    """Return a finding for each index without scans: drop it, or keep it with the reason.

    `catalog` is of the writer. `snapshots` are earlier ones of the writer and all of its replicas. `nodes` are all
    nodes that answer queries. `needed` holds (schema, index) of the indexes that replace others that are dropped.
    """
    taken = [*snapshots, take_snapshot(catalog)]
    asked = tuple(dict.fromkeys([catalog.server.node, *nodes]))
    parts: dict[int | None, list[Index]] = defaultdict(list)
    for index in catalog.indexes:
        parts[index.parent_oid].append(index)
    supported = _foreign_keys(catalog)
    found = []
    for index in catalog.indexes:
        if not index.is_valid or not index.is_live or index.extension is not None:
            continue
        if index.constraint in (Constraint.PRIMARY, Constraint.UNIQUE) or (index.is_partition and index.parent_oid):
            continue
        stored = _stored(index, parts)
        if not stored or any(part.scans != 0 for part in stored):
            continue
        usage = _combined(
            [
                judge_usage(IndexId(part.schema, part.table, part.name, part.oid), taken, nodes=asked, limits=limits)
                for part in stored
            ]
        )
        if usage.scans == 0:
            key = find_supported_foreign_key(index, supported[index.table_oid])
            kept = _why_kept(catalog, index, usage, needed, key, readers_known=bool(nodes))
            found.append(_finding(catalog, index, usage, kept, sum(part.size_bytes or 0 for part in stored)))
    return found


def _stored(index: Index, parts: Mapping[int | None, list[Index]]) -> list[Index]:
    """Return the index itself or, for a partitioned one, its parts with storage, which alone have counters."""
    if not index.is_partitioned:
        return [index]
    return [stored for part in parts[index.oid] for stored in _stored(part, parts)]


def _combined(usages: Sequence[IndexUsage]) -> IndexUsage:
    """Return the use of all parts; it is as certain as that of the least certain part."""
    least = min(usages, key=lambda usage: (usage.unknown_because is None, usage.days))
    return replace(
        least,
        scans=sum(usage.scans for usage in usages),
        reads=sum(usage.reads for usage in usages),
        writes=sum(usage.writes for usage in usages),
    )


def _foreign_keys(catalog: Catalog) -> dict[int | None, list[ForeignKey]]:
    """Return the foreign keys of each table; a partition also has those of its parents."""
    own: dict[int | None, list[ForeignKey]] = defaultdict(list)
    for key in catalog.foreign_keys:
        own[key.table_oid].append(key)
    parent = {table.oid: table.parent_oid for table in catalog.tables}
    every: dict[int | None, list[ForeignKey]] = defaultdict(list)
    for table in catalog.tables:
        at: int | None = table.oid
        while at is not None:
            every[table.oid] += own.get(at, [])
            at = parent.get(at)
    return every


def _finding(catalog: Catalog, index: Index, usage: IndexUsage, kept: str | None, saves_bytes: int) -> Finding:
    reason = (
        f"{index.name} was not used since its counters were cleared, and is kept because {kept}."
        if kept is not None
        else f"No query used {index.name} in {usage.days:.0f} days on {len(usage.nodes)} "
        f"{'node' if len(usage.nodes) == 1 else 'nodes'}, while its table was read {usage.reads:,} times and "
        f"{usage.writes:,} of its rows were written."
    )
    return unused_finding(catalog, index, kept, reason, usage.evidence(index.definition), saves_bytes)


def _why_kept(
    catalog: Catalog,
    index: Index,
    usage: IndexUsage,
    needed: Collection[tuple[str, str]],
    key: ForeignKey | None,
    *,
    readers_known: bool,
) -> str | None:
    """Return the reason why an index without scans is kept, or None."""
    server = catalog.server
    reasons = (
        (server.is_replica, "this is a replica, and the writer was not read"),
        (server.is_aurora and len(usage.nodes) < 2 and not readers_known, "Aurora's readers were not listed"),
        (
            index.method not in _COUNTING_METHODS,
            f"it is not known if the access method {index.method} counts its scans",
        ),
        (index.is_unique, "it is unique, and PostgreSQL does not count uniqueness checks as scans"),
        ((index.schema, index.name) in needed, "it replaces another index that is superfluous"),
        (key is not None, f"it serves the foreign key {key.name if key else ''}, whose parent may rarely change"),
        (usage.unknown_because is not None, f"that is not enough: {usage.unknown_because}"),
        (any(part.column is None for part in index.keys), "the planner uses the statistics of its expression"),
    )
    return why_never_dropped(index) or next((words for applies, words in reasons if applies), None)
