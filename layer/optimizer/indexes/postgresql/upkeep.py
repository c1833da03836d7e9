"""Find tables of PostgreSQL that need ANALYZE, VACUUM or freezing, and indexes with an outdated collation version.

The limits are the thresholds of autovacuum with each table's own storage parameters (PostgreSQL documentation, "Routine
Vacuuming").
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from optimizer.core import Risk
from optimizer.indexes.model import Action, Catalog, Finding, Kind, Table, about_index, about_table

_STORED = ("table", "materialized_view")


# Autovacuum never analyses a partitioned table, which is due after so long.
_PARTITIONED_DUE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The numbers of rows, and the ages, from which autovacuum processes a table; None disables a reason."""

    dead: float
    inserted: float | None
    modified: float
    freeze_age: float
    multixact_age: float
    enabled: bool


def autovacuum_thresholds(table: Table, settings: Mapping[str, str]) -> Thresholds:
    """Return the thresholds of one table: its storage parameters override the settings of the server."""

    def value(name: str, default: float) -> float:
        return float(table.options.get(name, settings.get(name, default)))

    rows = max(table.rows or 0.0, 0.0)
    dead = value("autovacuum_vacuum_threshold", 50) + value("autovacuum_vacuum_scale_factor", 0.2) * rows
    max_dead = value("autovacuum_vacuum_max_threshold", -1)
    inserts = value("autovacuum_vacuum_insert_threshold", 1000)
    inserted = inserts + value("autovacuum_vacuum_insert_scale_factor", 0.2) * rows
    server_age = float(settings.get("autovacuum_freeze_max_age", 200e6))
    server_multixact = float(settings.get("autovacuum_multixact_freeze_max_age", 400e6))
    is_on = settings.get("autovacuum", "on") == "on" and settings.get("track_counts", "on") == "on"
    return Thresholds(
        dead=min(dead, max_dead) if max_dead >= 0 else dead,
        inserted=None if inserts < 0 else inserted,
        modified=value("autovacuum_analyze_threshold", 50) + value("autovacuum_analyze_scale_factor", 0.1) * rows,
        # A table can only lower the limit of the server.
        freeze_age=min(value("autovacuum_freeze_max_age", server_age), server_age),
        multixact_age=min(value("autovacuum_multixact_freeze_max_age", server_multixact), server_multixact),
        enabled=is_on and table.options.get("autovacuum_enabled", "true").lower() in ("true", "on", "yes", "1"),
    )


def find_upkeep(catalog: Catalog) -> list[Finding]:
    """Return a finding for each table that needs ANALYZE, VACUUM or freezing, and for each outdated collation."""
    found: list[Finding] = []
    parts: dict[int | None, list[Table]] = defaultdict(list)
    for table in catalog.tables:
        parts[table.parent_oid].append(table)
    for table in catalog.tables:
        if table.extension is None and not catalog.server.is_replica:
            found += _find_in_table(catalog, table, parts[table.oid])
    return found + list(_find_outdated_collations(catalog))


def _find_in_table(catalog: Catalog, table: Table, parts: list[Table]) -> Iterator[Finding]:
    if table.kind == "partitioned":
        yield from _find_unanalysed_parent(catalog, table, parts)
    if table.kind not in _STORED:
        return
    due = autovacuum_thresholds(table, catalog.server.settings)
    off = "" if due.enabled else "; autovacuum is off for this table"
    age = _age_reason(table, due)
    if age is not None:
        yield about_table(
            catalog, table, Kind.WRAPAROUND, Action.VACUUM, f"{age}{off}.", Risk.MEDIUM, evidence=_ages(table, due)
        )
    evidence = {"rows": table.rows, "dead_rows": table.dead_rows, "threshold": due.dead}
    if table.dead_rows is not None and table.dead_rows > due.dead:
        reason = f"{table.name} has {table.dead_rows:,} dead rows; autovacuum is due from {due.dead:,.0f}{off}."
        yield about_table(catalog, table, Kind.VACUUM_DUE, Action.VACUUM, reason, evidence=evidence)
    elif _has_many_inserts(table, due):
        reason = (
            f"{table.inserted_since_vacuum:,} rows of {table.name} were inserted since the last VACUUM, so that "
            f"index-only scans read the table for each of them; autovacuum is due from {due.inserted:,.0f}{off}."
        )
        evidence = {"rows": table.rows, "inserted": table.inserted_since_vacuum, "threshold": due.inserted}
        yield about_table(catalog, table, Kind.VACUUM_DUE, Action.VACUUM, reason, evidence=evidence)
    yield from _find_old_statistics(catalog, table, due, off)


def _has_many_inserts(table: Table, due: Thresholds) -> bool:
    if table.inserted_since_vacuum is None or due.inserted is None:
        return False
    return table.inserted_since_vacuum > due.inserted


def _find_old_statistics(catalog: Catalog, table: Table, due: Thresholds, off: str) -> Iterator[Finding]:
    modified = table.modified_since_analyze
    evidence = {"rows": table.rows, "modified_since_analyze": modified, "threshold": due.modified}
    never = table.last_analyze_at is None and not any(column.null_fraction is not None for column in table.columns)
    if "column_statistics" in catalog.not_read:
        # The counters may have been lost; that rows were once counted shows that it was analysed or vacuumed.
        never = never and not table.rows
    if never and (table.live_rows or table.pages):
        reason = f"{table.name} was never analysed, so that the planner has no statistics on it{off}."
        yield about_table(catalog, table, Kind.STALE_STATISTICS, Action.ANALYZE, reason, evidence=evidence)
    elif modified is not None and modified > due.modified:
        reason = (
            f"{modified:,} rows of {table.name} changed since the last ANALYZE; "
            f"autovacuum is due from {due.modified:,.0f}{off}."
        )
        yield about_table(catalog, table, Kind.STALE_STATISTICS, Action.ANALYZE, reason, evidence=evidence)


def _find_unanalysed_parent(catalog: Catalog, table: Table, parts: list[Table]) -> Iterator[Finding]:
    """Yield a finding if the parent needs ANALYZE: autovacuum skips it, and queries over all partitions need it."""
    if not any(part.live_rows or part.pages for part in parts):
        return
    changed = sum(part.modified_since_analyze or 0 for part in parts)
    evidence = {"partitions": len(parts), "rows_changed_in_partitions": changed}
    if table.last_analyze_at is None and not any(column.null_fraction is not None for column in table.columns):
        reason = f"The partitioned table {table.name} was never analysed, and autovacuum never analyses it."
        yield about_table(catalog, table, Kind.STALE_STATISTICS, Action.ANALYZE, reason, evidence=evidence)
    elif table.last_analyze_at is not None and catalog.server.read_at - table.last_analyze_at > _PARTITIONED_DUE:
        reason = (
            f"The partitioned table {table.name} was last analysed on {table.last_analyze_at:%Y-%m-%d}, and autovacuum "
            "never analyses it."
        )
        yield about_table(catalog, table, Kind.STALE_STATISTICS, Action.ANALYZE, reason, evidence=evidence)


def _age_reason(table: Table, due: Thresholds) -> str | None:
    ages = (
        (table.frozen_age, due.freeze_age, "transaction ids"),
        (table.toast_frozen_age, due.freeze_age, "transaction ids in TOAST"),
        (table.multixact_age, due.multixact_age, "multixact ids"),
    )
    for age, limit, ids in ages:
        if age is not None and age >= limit:
            return (
                f"The oldest {ids} of {table.name} are {age / 1e6:.0f} million old: the server forces a freeze at "
                f"{limit / 1e6:.0f} million and stops writes at 2,147 million"
            )
    return None


def _ages(table: Table, due: Thresholds) -> dict[str, float | None]:
    return {
        "frozen_age": table.frozen_age,
        "toast_frozen_age": table.toast_frozen_age,
        "freeze_max_age": due.freeze_age,
        "multixact_age": table.multixact_age,
        "multixact_freeze_max_age": due.multixact_age,
    }


def _find_outdated_collations(catalog: Catalog) -> Iterator[Finding]:
    for index in catalog.indexes:
        if index.collation_version_differs and index.method == "btree" and index.is_valid and not index.is_partitioned:
            reason = (
                f"{index.name} was built with another version of its collation than the server has now, so that "
                "queries may miss rows and uniqueness may fail. Rebuild it, then refresh the collation version."
            )
            evidence = {"collations": [key.collation for key in index.keys], "definition": index.definition}
            yield about_index(
                catalog, index, Kind.WRONG_COLLATION_VERSION, Action.ASK, reason, Risk.HIGH, evidence=evidence
            )
