"""Finds indexes of MySQL and MariaDB that nothing reads, and those that only look unused. Pure."""

from collections.abc import Collection, Sequence
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
from optimizer.indexes.mysql.cover import TableContext, serves_foreign_key, why_never_dropped
from optimizer.indexes.mysql.redundant import gather_tables


def find_unused(
    catalog: Catalog,
    snapshots: Sequence[UsageSnapshot] = (),
    *,
    nodes: Sequence[str] = (),
    dropped: Collection[tuple[str, str, str]] = (),
    needed: Collection[tuple[str, str, str]] = (),
    limits: UsageLimits | None = None,
) -> list[Finding]:
    """Return a finding for each index without a read: to be dropped, or kept with the reason.

    catalog: of the writer.
    snapshots: earlier ones of the writer, and all of its replicas.
    nodes: all nodes that execute queries.
    dropped: (schema, table, index) that are dropped for another reason.
    needed: (schema, table, index) that replace a dropped index.
    """
    snapshots = [*snapshots, take_snapshot(catalog)]
    all_nodes = tuple(dict.fromkeys([catalog.server.node, *nodes]))
    found: list[Finding] = []
    for context in gather_tables(catalog):
        qualified = context.table.qualified
        staying = [index for index in context.indexes if (*qualified, index.name) not in dropped]
        for index in list(staying):
            if index.scans != 0 or not index.is_visible or index.constraint is Constraint.PRIMARY:
                continue
            index_id = IndexId(index.schema, index.table, index.name)
            usage = judge_usage(index_id, snapshots, nodes=all_nodes, limits=limits)
            if usage.scans:
                continue
            others = replace(context, indexes=tuple(other for other in staying if other is not index))
            reason = _why_kept(index, others, usage, (*qualified, index.name) in needed)
            found.append(_finding(catalog, index, usage, reason, context))
            if reason is None:
                staying.remove(index)
    return found


def _why_kept(index: Index, others: TableContext, usage: IndexUsage, replaces_another: bool) -> str | None:
    if index.method == "fulltext":
        return "the server does not count searches in fulltext indexes"
    if index.is_unique:
        return "it is unique, and the server does not count checks of uniqueness as reads"
    if replaces_another:
        return "it replaces another index that is superfluous"
    reason = why_never_dropped(index, others) or _foreign_key_needs(index, others) or _counter_needs(index, others)
    if reason is None and usage.unknown_because is not None:
        return f"the evidence is not enough: {usage.unknown_because}"
    return reason


def _foreign_key_needs(index: Index, others: TableContext) -> str | None:
    def is_alone(columns: Sequence[str]) -> bool:
        return serves_foreign_key(index, columns, others.engine) and not any(
            serves_foreign_key(other, columns, others.engine) for other in others.indexes
        )

    own: ForeignKey | None = next((key for key in others.foreign_keys if is_alone(key.columns)), None)
    if own is not None:
        return f"the foreign key {own.name} needs it, and its checks are not counted as reads"
    referencing = next((key for key in others.referencing if is_alone(key.parent_columns)), None)
    return f"the foreign key {referencing.name} of {referencing.table} refers to it" if referencing else None


def _counter_needs(index: Index, others: TableContext) -> str | None:
    counting = {column.name.lower() for column in others.table.columns if column.auto_increment}
    first = (index.keys[0].column or "").lower()
    leading = {(other.keys[0].column or "").lower() for other in others.indexes}
    return f"AUTO_INCREMENT of {first} needs it" if first in counting - leading else None


def _finding(
    catalog: Catalog, index: Index, usage: IndexUsage, kept_because: str | None, context: TableContext
) -> Finding:
    nodes = "" if len(usage.nodes) == 1 else f" on any of {len(usage.nodes)} nodes"
    reason = (
        f"No query has read {index.name} in {usage.days:.0f} days{nodes}."
        if kept_because is None
        else f"No query has read {index.name}; it is kept because {kept_because}."
    )
    evidence = {**usage.evidence(index.definition), **context.hints_evidence()}
    return unused_finding(catalog, index, kept_because, reason, evidence, index.size_bytes)
