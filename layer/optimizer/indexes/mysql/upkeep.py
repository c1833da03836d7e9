"""Finds other work on tables of MySQL and MariaDB. Pure.

That is: hidden indexes, foreign keys without an index, outdated statistics, and files that are mostly free.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from optimizer.core import Risk
from optimizer.indexes.model import Action, Catalog, Finding, Index, Kind, Table, about_index, about_table
from optimizer.indexes.mysql.cover import TableContext, serves_foreign_key
from optimizer.indexes.mysql.redundant import gather_tables

# InnoDB recalculates its statistics after this share of the rows has changed, if it may.
_RECALCULATED_SHARE = 0.1

# A table of fewer rows fits on a few pages, and its statistics change no plan.
_SMALLEST_TABLE = 1_000


@dataclass(frozen=True, slots=True)
class MysqlUpkeepLimits:
    """The thresholds from which a table is rewritten: the free share of its file (0 to 1) and the free bytes."""

    min_free_share: float = 0.5
    min_free_bytes: int = 100 * 2**20


def find_hidden(catalog: Catalog, dropped: Collection[tuple[str, str, str]] = ()) -> list[Finding]:
    """Return a finding for each index that is hidden from the optimizer, because it still slows down every write.

    dropped: (schema, table, index) that are dropped for another reason.
    """
    return [
        _hidden(catalog, index)
        for index in catalog.indexes
        if not index.is_visible and (*index.qualified_table, index.name) not in dropped
    ]


def _hidden(catalog: Catalog, index: Index) -> Finding:
    unique = " It still ensures that its keys are unique; dropping it would end that." if index.is_unique else ""
    return about_index(
        catalog,
        index,
        Kind.HIDDEN,
        Action.ASK,
        f"{index.name} is hidden from the optimizer, but every write still updates it: drop it, or make it visible "
        f"again.{unique}",
        Risk.HIGH if index.is_unique else Risk.MEDIUM,
        saves_bytes=index.size_bytes,
        statement=index.definition,
        evidence={"definition": index.definition, "unique": index.is_unique},
    )


def find_foreign_keys_without_index(catalog: Catalog) -> list[Finding]:
    """Return a finding for each foreign key without an index.

    InnoDB creates an index for each foreign key, but it can be lost while foreign_key_checks is off.
    """
    return [
        about_table(
            catalog,
            context.table,
            Kind.FOREIGN_KEY_WITHOUT_INDEX,
            Action.CREATE,
            f"No index serves the foreign key {key.name}: each change of a row in {key.parent_table} reads and locks "
            f"the whole table {key.table}.",
            statement=key.index_statement,
            evidence={"foreign_key": key.name, "columns": list(key.columns), "on_delete": key.on_delete},
        )
        for context in gather_tables(catalog)
        for key in context.foreign_keys
        if context.is_innodb
        and not any(serves_foreign_key(index, key.columns, context.engine) for index in context.indexes)
    ]


def find_stale_statistics(catalog: Catalog) -> list[Finding]:
    """Return a finding for each InnoDB table whose persistent statistics are missing or far from its present rows."""
    if "sizes" in catalog.not_read:
        return []
    found = []
    for table in catalog.tables:
        reason = _why_stale(table, catalog.server.settings) if _has_persistent_statistics(table, catalog) else None
        if reason is not None:
            evidence = {
                "statistics_at": table.last_analyze_at,
                "rows_then": table.rows,
                "rows_now": table.live_rows,
                "modified_since": table.modified_since_analyze,
            }
            found.append(
                about_table(
                    catalog, table, Kind.STALE_STATISTICS, Action.ANALYZE, f"{table.name}: {reason}.", evidence=evidence
                )
            )
    return found


def _has_persistent_statistics(table: Table, catalog: Catalog) -> bool:
    if (table.storage_engine or "").lower() != "innodb":
        return False
    default = catalog.server.settings.get("innodb_stats_persistent", "ON")
    return table.options.get("stats_persistent", default) in ("1", "ON")


def _why_stale(table: Table, settings: Mapping[str, str]) -> str | None:
    if table.last_analyze_at is None:
        return "it has no statistics" if table.rows or table.live_rows else None
    automatic = table.options.get("stats_auto_recalc", settings.get("innodb_stats_auto_recalc", "ON")) in ("1", "ON")
    rows_then = table.rows or 0
    if max(rows_then, table.live_rows or 0) < _SMALLEST_TABLE:
        return None
    # A server that recalculates automatically gets twice the share, because it is late only when it was delayed.
    allowed = (2 if automatic else 1) * _RECALCULATED_SHARE * max(rows_then, 1)
    changed = max(table.modified_since_analyze or 0, abs((table.live_rows or rows_then) - rows_then))
    if changed <= allowed:
        return None
    why = "" if automatic else ", and automatic recalculation is off"
    return f"its statistics describe {rows_then:.0f} rows, but {changed:.0f} rows have changed since{why}"


def find_rewrites(catalog: Catalog, limits: MysqlUpkeepLimits | None = None) -> list[Finding]:
    """Return a finding for each table whose file is mostly free: to be rewritten, or kept with the reason."""
    limits = limits or MysqlUpkeepLimits()
    return [
        finding for context in gather_tables(catalog) if (finding := _rewrite(catalog, context, limits)) is not None
    ]


def _rewrite(catalog: Catalog, context: TableContext, limits: MysqlUpkeepLimits) -> Finding | None:
    table = context.table
    free, used = table.free_bytes or 0, table.size_bytes or 0
    if free < limits.min_free_bytes or free < limits.min_free_share * (free + used):
        return None
    kept_because = _why_not_rewritten(context)
    evidence = {"free_bytes": free, "used_bytes": used, "inserted": table.inserted, "deleted": table.deleted}
    reason = f"{free / (free + used):.0%} of the file of {table.name} is free"
    if kept_because is not None:
        reason = f"{reason}; it is not rewritten because {kept_because}."
        return about_table(
            catalog, table, Kind.BLOATED, Action.NONE, reason, kept_because=kept_because, evidence=evidence
        )
    copies = any(index.method == "fulltext" for index in context.indexes)
    warning = " Because of its fulltext indexes, the table is copied and cannot be written meanwhile." if copies else ""
    return about_table(
        catalog,
        table,
        Kind.BLOATED,
        Action.ASK if copies else Action.OPTIMIZE_TABLE,
        f"{reason}; rewriting the table frees that space.{warning}",
        Risk.HIGH if copies else Risk.MEDIUM,
        saves_bytes=free,
        evidence=evidence,
    )


def _why_not_rewritten(context: TableContext) -> str | None:
    table = context.table
    if not context.is_innodb:
        return f"{table.storage_engine} reuses its free space, and rewriting the table blocks all writes"
    if table.shares_tablespace is None:
        return "it is unknown if other tables are in the same file"
    if table.shares_tablespace:
        return "other tables share the file and its free space"
    if table.inserted is not None and table.deleted is not None and table.inserted > table.deleted:
        return "more rows are inserted than deleted, and will fill it"
    return None
