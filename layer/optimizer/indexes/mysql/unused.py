"""Indexes of MySQL and MariaDB that nothing reads, and those that only look so. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from optimizer.core import Risk
from optimizer.indexes.model.catalog import Catalog, Constraint, Index
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.new_finding import about_index
from optimizer.indexes.model.usage import IndexId, IndexUsage, UsageLimits, UsageSnapshot, judge_usage, take_snapshot
from optimizer.indexes.mysql.cover import TableContext, supports, why_fixed
from optimizer.indexes.mysql.redundant import gather_tables


def unused(
    catalog: Catalog,
    snapshots: Sequence[UsageSnapshot] = (),
    *,
    nodes: Sequence[str] = (),
    dropped: Collection[tuple[str, str, str]] = (),
    needed: Collection[tuple[str, str, str]] = (),
    limits: UsageLimits | None = None,
) -> list[Finding]:
    """A finding for each index without a read: to be dropped, or kept with the reason. `catalog` is of the writer;
    `snapshots` are earlier looks at it and all looks at its replicas; `nodes` are all nodes that answer queries.
    (schema, table, index): those in `dropped` go anyway, those in `needed` stay in the place of others."""
    taken = [*snapshots, take_snapshot(catalog)]
    asked = tuple(dict.fromkeys([catalog.server.node, *nodes]))
    found: list[Finding] = []
    for of in gather_tables(catalog):
        staying = [index for index in of.indexes if (*of.table.qualified, index.name) not in dropped]
        for index in list(staying):
            if index.scans != 0 or not index.is_visible or index.constraint is Constraint.PRIMARY:
                continue
            use = judge_usage(IndexId(index.schema, index.table, index.name), taken, nodes=asked, limits=limits)
            if use.scans:
                continue
            others = replace(of, indexes=tuple(other for other in staying if other is not index))
            words = _why_kept(index, others, use, (*of.table.qualified, index.name) in needed)
            found.append(_finding(catalog, index, use, words))
            if words is None:
                staying.remove(index)
    return found


def _why_kept(index: Index, others: TableContext, use: IndexUsage, in_place_of_another: bool) -> str | None:
    if index.method == "fulltext":
        return "the server does not count searches in fulltext indexes"
    if index.is_unique:
        return "it keeps its keys unique, which is not counted as a read"
    if in_place_of_another:
        return "it stays in the place of another index that is superfluous"
    own = why_fixed(index, others) or _foreign_key_needs(index, others) or _counter_needs(index, others)
    if own is None and use.unknown_because is not None:
        return f"that is not enough to go by: {use.unknown_because}"
    return own


def _foreign_key_needs(index: Index, others: TableContext) -> str | None:
    for key in others.foreign_keys:
        if supports(index, key.columns, others.engine) and not any(
            supports(other, key.columns, others.engine) for other in others.indexes
        ):
            return f"the foreign key {key.name} needs it, and its checks are not counted as reads"
    for key in others.referencing:
        if supports(index, key.parent_columns, others.engine) and not any(
            supports(other, key.parent_columns, others.engine) for other in others.indexes
        ):
            return f"the foreign key {key.name} of {key.table} refers to it"
    return None


def _counter_needs(index: Index, others: TableContext) -> str | None:
    counting = {column.name.lower() for column in others.table.columns if column.auto_increment}
    first = (index.keys[0].column or "").lower()
    led = {(other.keys[0].column or "").lower() for other in others.indexes}
    return f"AUTO_INCREMENT of {first} needs it" if first in counting - led else None


def _finding(catalog: Catalog, index: Index, use: IndexUsage, kept_because: str | None) -> Finding:
    evidence = {
        "scans": use.scans,
        "days": round(use.days, 1),
        "since": None if use.since is None else use.since.isoformat(),
        "nodes": list(use.nodes),
        "table_reads": use.reads,
        "table_writes": use.writes,
        "definition": index.definition,
        "hints_known": "statements" not in catalog.not_read,
    }
    if kept_because is not None:
        reason = f"Nothing has read {index.name}, which is kept because {kept_because}."
        return about_index(
            catalog, index, Kind.UNUSED, Action.NONE, reason, kept_because=kept_because, evidence=evidence
        )
    where = "" if len(use.nodes) == 1 else f" on any of {len(use.nodes)} nodes"
    return about_index(
        catalog,
        index,
        Kind.UNUSED,
        Action.DROP,
        f"Nothing has read {index.name} in {use.days:.0f} days{where}.",
        Risk.MEDIUM,
        saves_bytes=index.size_bytes,
        evidence=evidence,
    )
