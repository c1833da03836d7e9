"""Indexes of PostgreSQL that no query used for weeks on any node."""

from collections.abc import Collection, Iterable, Sequence

from optimizer.changes import Risk
from optimizer.indexes.about import about_index
from optimizer.indexes.catalog import Catalog, Index
from optimizer.indexes.findings import Action, Finding, Kind
from optimizer.indexes.postgresql_cover import why_fixed
from optimizer.indexes.postgresql_foreign_keys import supports_foreign_key
from optimizer.indexes.usage import IndexId, Usage, UsageLimits, UsageSnapshot, snapshot, usage_of


def unused(
    catalog: Catalog,
    snapshots: Iterable[UsageSnapshot] = (),
    *,
    nodes: Sequence[str] = (),
    needed: Collection[tuple[str, str]] = (),
    limits: UsageLimits | None = None,
) -> list[Finding]:
    """A finding for each index without scans: to be dropped, or kept with the reason. `catalog` is of the writer;
    `snapshots` are earlier looks at it and all looks at its replicas; `nodes` are all nodes that answer queries;
    `needed` are (schema, index) that stay in the place of others that are dropped."""
    taken = [*snapshots, snapshot(catalog)]
    asked = tuple(dict.fromkeys([catalog.server.node, *nodes]))
    found = []
    for index in catalog.indexes:
        if not index.is_valid or not index.is_live or index.is_partitioned or index.extension is not None:
            continue
        if index.scans != 0 or (why_fixed(index) is not None and not index.is_partition):
            continue
        usage = usage_of(IndexId(index.schema, index.table, index.name, index.oid), taken, nodes=asked, limits=limits)
        if usage.scans == 0:
            found.append(_finding(catalog, index, usage, needed, readers_known=bool(nodes)))
    return found


def _finding(
    catalog: Catalog, index: Index, usage: Usage, needed: Collection[tuple[str, str]], *, readers_known: bool
) -> Finding:
    evidence = {
        "scans": usage.scans,
        "days": round(usage.days, 1),
        "since": None if usage.since is None else usage.since.isoformat(),
        "nodes": list(usage.nodes),
        "table_reads": usage.reads,
        "table_writes": usage.writes,
        "definition": index.definition,
    }
    kept = _why_kept(catalog, index, usage, needed, readers_known=readers_known)
    if kept is not None:
        reason = f"{index.name} was not used since its counters were cleared, and is kept because {kept}."
        return about_index(catalog, index, Kind.UNUSED, Action.NONE, reason, kept_because=kept, evidence=evidence)
    reason = (
        f"{index.name} was used by no query in {usage.days:.0f} days on {len(usage.nodes)} "
        f"{'node' if len(usage.nodes) == 1 else 'nodes'}, while its table was read {usage.reads:,} times and "
        f"{usage.writes:,} of its rows were written."
    )
    return about_index(
        catalog,
        index,
        Kind.UNUSED,
        Action.DROP,
        reason,
        Risk.MEDIUM,
        evidence=evidence,
        saves_bytes=index.size_bytes,
    )


def _why_kept(
    catalog: Catalog, index: Index, usage: Usage, needed: Collection[tuple[str, str]], *, readers_known: bool
) -> str | None:
    """Scans are not all that an index is for."""
    key = supports_foreign_key(index, catalog)
    server = catalog.server
    reasons = (
        (server.is_replica, "this is a replica, and the writer was not asked"),
        (server.is_aurora and len(usage.nodes) < 2 and not readers_known, "Aurora's readers were not listed"),
        (index.is_unique, "it is unique, and checks of uniqueness are not counted as scans"),
        (index.is_partition, "it is part of a partitioned index and cannot be dropped alone"),
        ((index.schema, index.name) in needed, "it stays in the place of another index that is superfluous"),
        (key is not None, f"it serves the foreign key {key.name if key else ''}, whose parent may seldom change"),
        (usage.unknown_because is not None, f"that is not enough to go by: {usage.unknown_because}"),
        (any(part.column is None for part in index.keys), "the planner uses the statistics of its expression"),
    )
    return next((words for applies, words in reasons if applies), None)
