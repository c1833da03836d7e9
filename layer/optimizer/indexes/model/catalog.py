"""What a database server says of its tables and indexes, as plain data: the same for every engine.

A reader fills it, the decision modules look at nothing else. None means that the server does not have the thing or
that it could not be read (`Catalog.not_read` then says why); it never means zero or no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from optimizer.indexes.model.finding import Finding
from optimizer.indexes.model.workload import BuildInProgress, StatementStat, StoredCode


class Engine(StrEnum):
    """A database engine; Aurora counts as the engine that it speaks like."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    MARIADB = "mariadb"


class Constraint(StrEnum):
    """What an index enforces beside being an index."""

    PRIMARY = "primary"
    UNIQUE = "unique"
    EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True)
class CatalogServer:
    """One node, and the database on it that was looked at.

    `node` tells this node from its replicas and stays the same between runs. `version` is comparable, (15, 8) or
    (8, 0, 36). `counted_since` is the last moment when the usage counters are known to have been cleared: statistics
    reset or start of the server; None where it cannot be known. `extensions` are those installed in the database
    (PostgreSQL), name to version. `settings` are the server's own texts: numbers in the setting's base unit.
    `replicas` is how many replicas stream from this node.
    """

    engine: Engine
    version: tuple[int, ...]
    database: str
    node: str
    read_at: datetime
    is_replica: bool = False
    is_aurora: bool = False
    started_at: datetime | None = None
    counted_since: datetime | None = None
    block_bytes: int = 8192
    extensions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column with the planner's statistics on it: `null_fraction` 0 to 1, `distinct` the number of distinct values
    that are not null, `average_bytes` of a value that is not null (or, on PostgreSQL, as pg_stats.avg_width)."""

    name: str
    data_type: str
    not_null: bool
    null_fraction: float | None = None
    distinct: float | None = None
    average_bytes: float | None = None
    collation: str | None = None
    auto_increment: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its counters. Counters are since `Server.counted_since`; sizes in bytes; ages in transactions.

    `kind` is `table`, `partitioned` (a parent without storage), `materialized_view`, `foreign` or `temporary`.
    `storage_engine` is MySQL's and MariaDB's. `extension` is the one that owns the table. `options` are the storage
    parameters of the table, those of its TOAST table with the prefix `toast.` (PostgreSQL).

    MySQL and MariaDB: `rows` are those of the statistics in use, `live_rows` what InnoDB has counted since; scans are
    rows read by them. `created_at` is when the table was made or last altered, which on MySQL clears its counters.
    `shares_tablespace`: its file holds other tables too, so that `free_bytes` says nothing of this one.
    """

    schema: str
    name: str
    oid: int | None = None
    kind: str = "table"
    storage_engine: str | None = None
    is_partition: bool = False
    parent_oid: int | None = None
    extension: str | None = None
    columns: tuple[Column, ...] = ()
    size_bytes: int | None = None
    free_bytes: int | None = None
    rows: float | None = None
    live_rows: int | None = None
    dead_rows: int | None = None
    modified_since_analyze: int | None = None
    inserted_since_vacuum: int | None = None
    sequential_scans: int | None = None
    index_scans: int | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    last_analyze_at: datetime | None = None
    frozen_age: int | None = None
    multixact_age: int | None = None
    toast_frozen_age: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    pages: int | None = None
    created_at: datetime | None = None
    shares_tablespace: bool | None = None

    @property
    def qualified(self) -> tuple[str, str]:
        """(schema, name)."""
        return self.schema, self.name


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One key of an index.

    `text` is the column or expression as the server prints it; compare it only with texts of the same table.
    `column` is the plain column, None for an expression. `opclass` and `collation` are schema-qualified names, with
    the operator class's parameters (PostgreSQL); `collation` is None for a type without one.
    `nulls_first` is the order as stored; MySQL and MariaDB sort NULL first when ascending. `prefix_length` counts
    characters or bytes as the server does, None for the whole value.
    """

    text: str
    column: str | None
    opclass: str | None = None
    collation: str | None = None
    descending: bool = False
    nulls_first: bool = False
    prefix_length: int | None = None


@dataclass(frozen=True, slots=True)
class KeyStatistics:
    """How one column of an index is stored, and what the planner knows of its values (PostgreSQL).

    `fixed_bytes` is the length of a value of fixed length, None if lengths differ; `alignment` is 1, 2, 4 or 8 bytes;
    `average_bytes` with the header; `distinct` as in Column; `common_frequencies` are the shares of the most common
    values among all rows, `common_bytes` their stored lengths and `sample_bytes` those of other values, where known.
    None: not analysed, or not readable.
    """

    fixed_bytes: int | None
    alignment: int
    average_bytes: float | None = None
    null_fraction: float | None = None
    distinct: float | None = None
    common_frequencies: tuple[float, ...] = ()
    common_bytes: tuple[int, ...] = ()
    sample_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """An index, its flags and its counters.

    `method` is lower case: btree, hash, gin, gist, brin, fulltext, spatial, ... `predicate` is the text of WHERE.
    `definition` is the statement that makes this index again (the stored undo of a drop). `oid`, `table_oid` and
    `file_node` identify it on PostgreSQL; `file_node` changes with each rebuild. `is_valid` and `is_ready` are
    PostgreSQL's; `is_visible` is false for MySQL's INVISIBLE and MariaDB's IGNORED. `is_referenced` says that a foreign
    key of another table points at it. `is_partitioned` is a parent without storage, `is_partition` one of its parts.
    `is_deferrable` belongs to a unique constraint. `deduplicates` says that equal keys can share one entry
    (PostgreSQL 13+ btree). `options` are the storage parameters. `scans` is since `Server.counted_since`.
    `statistics` are of the keys, then of the INCLUDE columns.
    `collation_version_differs`: it was built with another version of its collation than the server has now.
    """

    schema: str
    table: str
    name: str
    method: str
    keys: tuple[KeyPart, ...]
    definition: str
    table_schema: str | None = None
    include: tuple[str, ...] = ()
    predicate: str | None = None
    is_unique: bool = False
    nulls_not_distinct: bool = False
    constraint: Constraint | None = None
    is_deferrable: bool = False
    is_valid: bool = True
    is_ready: bool = True
    is_live: bool = True
    is_visible: bool = True
    is_replica_identity: bool = False
    is_clustered: bool = False
    is_referenced: bool = False
    is_partitioned: bool = False
    is_partition: bool = False
    parent_oid: int | None = None
    extension: str | None = None
    oid: int | None = None
    table_oid: int | None = None
    file_node: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    deduplicates: bool | None = None
    size_bytes: int | None = None
    rows: float | None = None
    scans: int | None = None
    statistics: tuple[KeyStatistics, ...] = ()
    collation_version_differs: bool = False

    @property
    def qualified_table(self) -> tuple[str, str]:
        """(schema, name) of its table."""
        return self.table_schema or self.schema, self.table


@dataclass(frozen=True, slots=True)
class IndexPages:
    """The pages of a btree as pgstatindex counts them, and `pending_pages` of a GIN index's list of new entries;
    `average_leaf_density` in per cent."""

    oid: int
    file_node: int
    index_bytes: int
    internal_pages: int = 0
    leaf_pages: int = 0
    average_leaf_density: float | None = None
    pending_pages: int | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of `schema.table`. `on_delete` and `on_update` in the SQL standard's words, upper case.
    `has_period`: the last column is a range (PostgreSQL 18). `index_statement` would make the index that it wants."""

    schema: str
    table: str
    name: str
    columns: tuple[str, ...]
    parent_schema: str
    parent_table: str
    parent_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    oid: int | None = None
    table_oid: int | None = None
    parent_oid: int | None = None
    has_period: bool = False
    is_enforced: bool = True
    index_statement: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that was read of one database in one look. `not_read` says what is missing and why, by its name:
    `statements`, `usage`, `column_statistics`, ... `pages` are of the indexes that were worth counting, by oid;
    `further` are findings that only the server could give: indexes that its planner would use if it had them."""

    server: CatalogServer
    tables: tuple[Table, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    builds: tuple[BuildInProgress, ...] = ()
    statements: tuple[StatementStat, ...] = ()
    pages: Mapping[int, IndexPages] = field(default_factory=dict)
    further: tuple[Finding, ...] = ()
    not_read: Mapping[str, str] = field(default_factory=dict)
    stored_code: tuple[StoredCode, ...] = ()
