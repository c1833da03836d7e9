"""Tables and indexes as a database server reports them, as plain data: the same for every engine.

A reader fills a catalog, and the decision modules look at nothing else. None means that the server does not have the
value, or that it could not be read (`Catalog.not_read` then gives the reason); None never means zero or no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from optimizer.indexes.model.finding import Finding


@dataclass(frozen=True, slots=True)
class StatementStat:
    """The server's counters of one normalised statement; times in milliseconds.

    `key` is unique on the server: (user, database, top level, query id) on PostgreSQL, (schema, digest) on MySQL and
    MariaDB. `text` is None if the role may not see it. A counter that the server does not have is None. `role` ran the
    statement, and `is_trusted` tells if it may be planned with the optimizer's rights (PostgreSQL). `search_path` is
    where its names are looked up; `is_path_known` is false if neither the role nor the database sets it, so that the
    application may (PostgreSQL).
    """

    key: str
    text: str | None
    calls: int
    total_ms: float
    mean_ms: float
    rows: int
    rows_examined: int | None = None
    schema: str | None = None
    role: str | None = None
    is_trusted: bool = False
    search_path: str | None = None
    is_path_known: bool = False


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A view, routine, trigger, event or prepared statement whose text may name an index in a hint (MySQL and MariaDB).

    schema: empty if it is not known in which one its names are looked up.
    """

    kind: str
    schema: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BuildInProgress:
    """A running index build: neither its index nor its table may be changed."""

    table_oid: int | None = None
    index_oid: int | None = None


class Engine(StrEnum):
    """A database engine; Aurora counts as the engine that it speaks like."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    MARIADB = "mariadb"


class Constraint(StrEnum):
    """A constraint that an index enforces."""

    PRIMARY = "primary"
    UNIQUE = "unique"
    EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True)
class CatalogServer:
    """One node of a database, and the database on it that was read.

    `node` identifies the node among its replicas and stays the same between runs. `version` can be compared, for
    example (15, 8) or (8, 0, 36). `counted_since` is the last time at which the usage counters are known to have been
    cleared, by a reset of the statistics or a start of the server; None if that is not known. `extensions` maps the
    names of the extensions in the database to their versions (PostgreSQL). `settings` holds the server's own texts,
    numbers in the base unit of each setting. `replicas` is the number of replicas that stream from this node.
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
    """A column with the planner's statistics on it.

    `null_fraction` is 0 to 1. `distinct` is the number of distinct values that are not null. `average_bytes` is the
    width of a value that is not null (on PostgreSQL pg_stats.avg_width). `most_bytes` is the most that a value can
    take, None if the type does not limit it. `stays_in_row` is true if the server keeps long values in the row
    (PostgreSQL).
    """

    name: str
    data_type: str
    not_null: bool
    null_fraction: float | None = None
    distinct: float | None = None
    average_bytes: float | None = None
    collation: str | None = None
    auto_increment: bool = False
    most_bytes: int | None = None
    stays_in_row: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its counters since `CatalogServer.counted_since`; sizes in bytes, ages in transactions.

    `kind` is `table`, `partitioned` (a parent without storage), `materialized_view`, `foreign` or `temporary`.
    `storage_engine` is set on MySQL and MariaDB. `extension` names the extension that owns the table. `options` holds
    the storage parameters of the table, and those of its TOAST table with the prefix `toast.` (PostgreSQL).

    On MySQL and MariaDB `rows` is the number in the current statistics, `live_rows` the number that InnoDB has counted
    since, and scans are counted in rows read. `created_at` is the time at which the table was created or last altered,
    which clears its counters on MySQL. `shares_tablespace` is true if the file holds other tables too, so that
    `free_bytes` says nothing about this one. `toast_bytes` is the size of the values outside of the rows, None for a
    table without storage (PostgreSQL).
    """

    schema: str
    name: str
    oid: int | None = None
    kind: str = "table"
    storage_engine: str | None = None
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
    toast_bytes: int | None = None

    @property
    def qualified(self) -> tuple[str, str]:
        """The schema and name of the table."""
        return self.schema, self.name


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One key of an index.

    `text` is the column or expression as the server prints it; compare it only with texts of the same table. `column`
    names the plain column and is None for an expression. `opclass` and `collation` are names with their schema,
    `opclass` with its parameters (PostgreSQL); `collation` is None for a type without one. `nulls_first` is the stored
    order; MySQL and MariaDB sort NULL first when ascending. `prefix_length` counts characters or bytes as the server
    does and is None for the whole value.
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
    """The storage of one column of an index, and the planner's statistics on its values (PostgreSQL).

    `fixed_bytes` is the length of each value, None if lengths differ. `alignment` is 1, 2, 4 or 8 bytes.
    `average_bytes` includes the header. `distinct` is defined as in Column. `common_frequencies` holds the shares of
    the most common values among all rows, `common_bytes` their stored lengths, `sample_bytes` the stored lengths of
    other values. None and empty mean that the column was not analysed or that the statistics cannot be read.
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

    `method` is in lower case: btree, hash, gin, gist, brin, fulltext, spatial, ... `predicate` is the text of WHERE.
    `definition` is the statement that creates the index again, which rolls back a drop. `oid`, `table_oid` and
    `file_node` identify the index on PostgreSQL; `file_node` changes with each rebuild. `is_valid`, `is_ready` and
    `is_live` are PostgreSQL's flags; `is_visible` is false for MySQL's INVISIBLE and MariaDB's IGNORED. `is_referenced`
    is true if a foreign key of another table refers to the index. A partitioned index (`is_partitioned`) has no
    storage; `is_partition` marks its parts. `is_deferrable` belongs to a unique constraint. `deduplicates` is true if
    equal keys can share one entry (btree, PostgreSQL 13 and later). `options` holds the storage parameters. `scans`
    counts from `CatalogServer.counted_since`. `statistics` covers the keys, then the INCLUDE columns.
    `table_growth` is the size of the table over its size when its rows were counted (PostgreSQL). `sampled_share` is
    the share of the table's rows (0 to 1) in the sample from which ANALYZE estimates the rows of a partial index.
    `collation_version_differs` is true if the index was built with another version of its collation than the server has
    now.
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
    table_growth: float | None = None
    sampled_share: float | None = None

    @property
    def qualified_table(self) -> tuple[str, str]:
        """The schema and name of the table."""
        return self.table_schema or self.schema, self.table


@dataclass(frozen=True, slots=True)
class IndexPages:
    """Page counts of one index: of a btree from pgstatindex, of a GIN index the pending list (`pending_pages`).

    `average_leaf_density` is in percent.
    """

    oid: int
    file_node: int
    index_bytes: int
    internal_pages: int = 0
    leaf_pages: int = 0
    average_leaf_density: float | None = None
    pending_pages: int | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of `schema.table`.

    `on_delete` and `on_update` are the words of the SQL standard in upper case. `has_period` is true if the last column
    is a range (PostgreSQL 18). `index_statement` creates the index that the foreign key needs.
    """

    schema: str
    table: str
    name: str
    columns: tuple[str, ...]
    parent_schema: str
    parent_table: str
    parent_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    table_oid: int | None = None
    parent_oid: int | None = None
    has_period: bool = False
    is_enforced: bool = True
    index_statement: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that was read about one database at one time.

    `not_read` maps the name of each missing part (`statements`, `usage`, `column_statistics`, ...) to the reason.
    `pages` maps oids to the page counts of the indexes that were worth counting. `further` holds findings that only the
    server can give: indexes that its planner would use if they existed.
    """

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
