"""Convert rows of the PostgreSQL reader's query for indexes."""

from collections.abc import Mapping
from typing import Any

from optimizer.indexes.model.catalog import Constraint, Index, KeyPart, KeyStatistics

_CONSTRAINTS = {"p": Constraint.PRIMARY, "u": Constraint.UNIQUE, "x": Constraint.EXCLUSION}
_ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}
_DESCENDING, _NULLS_FIRST = 1, 2
_DEFAULT_COLLATION = "pg_catalog.default"
# These values are copied unchanged.
_PLAIN = (
    "schema", "table_schema", "table", "name", "method", "oid", "table_oid", "file_node", "is_partitioned",
    "is_partition", "parent_oid", "is_unique", "nulls_not_distinct", "is_valid", "is_ready", "is_live",
    "is_replica_identity", "is_clustered", "predicate", "definition", "is_referenced", "extension",
    "size_bytes", "scans", "table_growth", "sampled_share",
)  # fmt: skip


def to_index(row: Mapping[str, Any], table_rows: float | None, *, database_collation_differs: bool) -> Index:
    """Return the index in a row; `table_rows` converts shares of distinct values (None if not analysed)."""
    parts = row["parts"]
    keys, include = parts[: row["key_count"]], parts[row["key_count"] :]
    equal_image = all(part["equal_image"] and part["deterministic"] is not False for part in keys)
    constraint = _CONSTRAINTS.get(row["constraint_type"])
    rows = row["rows"]
    return Index(
        **{name: row[name] for name in _PLAIN},
        keys=tuple(_key(part) for part in keys),
        include=tuple(part["text"] for part in include),
        constraint=Constraint.EXCLUSION if constraint is None and row["is_exclusion"] else constraint,
        is_deferrable=row["is_deferrable"] and row["is_unique"],
        options=dict(text.split("=", 1) for text in row["options"]),
        deduplicates=row["may_deduplicate"] and equal_image,
        rows=None if rows is None or rows < 0 else float(rows),
        statistics=tuple(_statistics(part, table_rows) for part in parts),
        collation_version_differs=any(
            bool(part["version_differs"]) or (database_collation_differs and part["collation"] == _DEFAULT_COLLATION)
            for part in keys
        ),
    )


def _key(part: Mapping[str, Any]) -> KeyPart:
    given = part["opclass_options"]
    return KeyPart(
        text=part["text"],
        column=part["column"],
        opclass=f"{part['opclass']}({', '.join(sorted(given))})" if given else part["opclass"],
        collation=part["collation"],
        descending=bool(part["option"] & _DESCENDING),
        nulls_first=bool(part["option"] & _NULLS_FIRST),
    )


def _statistics(part: Mapping[str, Any], table_rows: float | None) -> KeyStatistics:
    distinct = part["distinct"]
    if distinct is not None and distinct < 0:
        distinct = None if table_rows is None else -distinct * table_rows
    return KeyStatistics(
        fixed_bytes=part["length"] if part["length"] > 0 else None,
        alignment=_ALIGNMENTS[part["alignment"]],
        average_bytes=part["average_bytes"],
        null_fraction=part["null_fraction"],
        distinct=distinct,
        common_frequencies=tuple(part["frequencies"] or ()),
        common_bytes=tuple(part["common_bytes"] or ()),
        sample_bytes=tuple(part["sample_bytes"] or ()),
    )
