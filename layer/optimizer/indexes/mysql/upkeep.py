"""What else MySQL and MariaDB tables want: hidden indexes settled, foreign keys served, statistics made anew, space
given back. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from optimizer.core import Risk
from optimizer.indexes.model.catalog import Catalog, Index, Table
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.new_finding import about_index, about_table
from optimizer.indexes.mysql.cover import TableContext, supports
from optimizer.indexes.mysql.redundant import gather_tables

# InnoDB makes its statistics anew after this share of the rows has changed, if it may.
_RECALCULATED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class MysqlUpkeepLimits:
    """A table is rewritten if at least `min_free_share` of its file and `min_free_bytes` are free."""

    min_free_share: float = 0.5
    min_free_bytes: int = 100 * 2**20


def hidden(catalog: Catalog, dropped: Collection[tuple[str, str, str]] = ()) -> list[Finding]:
    """The indexes that the optimizer may not use and that are not in `dropped`: each still costs every write."""
    return [
        _hidden(catalog, index)
        for index in catalog.indexes
        if not index.is_visible and (*index.qualified_table, index.name) not in dropped
    ]


def _hidden(catalog: Catalog, index: Index) -> Finding:
    unique = " It still keeps its keys unique, and dropping it would end that." if index.is_unique else ""
    return about_index(
        catalog,
        index,
        Kind.HIDDEN,
        Action.ASK,
        f"{index.name} is hidden from the optimizer and still written: drop it, or make it usable again.{unique}",
        Risk.HIGH if index.is_unique else Risk.MEDIUM,
        saves_bytes=index.size_bytes,
        statement=index.definition,
        evidence={"definition": index.definition, "unique": index.is_unique},
    )


def foreign_keys_without_index(catalog: Catalog) -> list[Finding]:
    """InnoDB makes an index for each foreign key, yet one can be lost while foreign_key_checks is off."""
    return [
        about_table(
            catalog,
            of.table,
            Kind.FOREIGN_KEY_WITHOUT_INDEX,
            Action.CREATE,
            f"No index serves the foreign key {key.name}: each change of a row in {key.parent_table} reads all of "
            f"{key.table}, and locks it.",
            statement=key.index_statement,
            evidence={"foreign_key": key.name, "columns": list(key.columns), "on_delete": key.on_delete},
        )
        for of in gather_tables(catalog)
        for key in of.foreign_keys
        if of.is_innodb and not any(supports(index, key.columns, of.engine) for index in of.indexes)
    ]


def stale_statistics(catalog: Catalog) -> list[Finding]:
    """Tables of InnoDB whose persistent statistics are missing, or far from what the table has become."""
    if "sizes" in catalog.not_read:
        return []
    found = []
    for table in catalog.tables:
        reason = _stale(table, catalog.server.settings) if _has_persistent_statistics(table, catalog) else None
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


def _stale(table: Table, settings: Mapping[str, str]) -> str | None:
    if table.last_analyze_at is None:
        return "it has no statistics" if table.rows or table.live_rows else None
    by_itself = table.options.get("stats_auto_recalc", settings.get("innodb_stats_auto_recalc", "ON")) in ("1", "ON")
    then = table.rows or 0
    # Where the server does it by itself it is late only when it was held up.
    allowed = (2 if by_itself else 1) * _RECALCULATED_SHARE * max(then, 1)
    changed = max(table.modified_since_analyze or 0, abs((table.live_rows or then) - then))
    if changed <= allowed:
        return None
    why = "" if by_itself else ", and may not make them anew by itself"
    return f"its statistics are of {then:.0f} rows, of which or beside which {changed:.0f} have changed since{why}"


def rewrites(catalog: Catalog, limits: MysqlUpkeepLimits | None = None) -> list[Finding]:
    """Tables whose file is mostly free, for OPTIMIZE TABLE; and those that look so."""
    limits = limits or MysqlUpkeepLimits()
    return [finding for of in gather_tables(catalog) if (finding := _rewrite(catalog, of, limits)) is not None]


def _rewrite(catalog: Catalog, of: TableContext, limits: MysqlUpkeepLimits) -> Finding | None:
    table = of.table
    free, used = table.free_bytes or 0, table.size_bytes or 0
    if free < limits.min_free_bytes or free < limits.min_free_share * (free + used):
        return None
    words = _why_not_rewritten(of)
    evidence = {"free_bytes": free, "used_bytes": used, "inserted": table.inserted, "deleted": table.deleted}
    reason = f"{free / (free + used):.0%} of the file of {table.name} is free"
    if words is not None:
        kept = f"{reason}, and it stays as it is because {words}."
        return about_table(catalog, table, Kind.BLOATED, Action.NONE, kept, kept_because=words, evidence=evidence)
    copies = any(index.method == "fulltext" for index in of.indexes)
    how = ": a table with fulltext indexes is copied, and not written to meanwhile" if copies else ""
    return about_table(
        catalog,
        table,
        Kind.BLOATED,
        Action.ASK if copies else Action.OPTIMIZE_TABLE,
        f"{reason}; rewriting it gives that back{how}.",
        Risk.HIGH if copies else Risk.MEDIUM,
        saves_bytes=free,
        evidence=evidence,
    )


def _why_not_rewritten(of: TableContext) -> str | None:
    table = of.table
    if not of.is_innodb:
        return f"{table.storage_engine} uses its free space again, and rewriting it stops all writes"
    if table.shares_tablespace is None:
        return "it is not known whether other tables are in the same file"
    if table.shares_tablespace:
        return "other tables are in the same file, whose free space is not this table's"
    if table.inserted is not None and table.deleted is not None and table.inserted > table.deleted:
        return "more rows come than go, and will fill it"
    return None
