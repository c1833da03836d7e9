"""What a database server is doing: statements, builds that run, sessions that could stand in a build's way."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class StatementStat:
    """What the server has counted of one normalised statement since `counted_since`; times in milliseconds.

    `key` is unique on the server: (user, database, top level, query id) on PostgreSQL, (schema, digest) on MySQL and
    MariaDB. `text` is None where the role may not see it. A count that the server does not keep is None.
    """

    key: str
    text: str | None
    calls: int
    total_ms: float
    mean_ms: float
    rows: int
    stddev_ms: float | None = None
    planning_ms: float | None = None
    blocks_hit: int | None = None
    blocks_read: int | None = None
    temporary_blocks: int | None = None
    rows_examined: int | None = None
    no_index_used: int | None = None
    temporary_disk_tables: int | None = None
    schema: str | None = None
    user: str | None = None
    counted_since: datetime | None = None
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A view, routine, trigger or event whose text may name an index in a hint (MySQL and MariaDB)."""

    kind: str
    schema: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BuildInProgress:
    """An index build that is running: its index or its table must be left alone."""

    pid: int
    schema: str | None
    table: str | None
    command: str
    phase: str
    table_oid: int | None = None
    index_oid: int | None = None
    blocks_total: int | None = None
    blocks_done: int | None = None


class ActivityKind(StrEnum):
    """What holds a snapshot or a lock."""

    SESSION = "session"
    PREPARED_TRANSACTION = "prepared_transaction"
    REPLICATION_SLOT = "replication_slot"


@dataclass(frozen=True, slots=True)
class Activity:
    """A session, prepared transaction or replication slot, with how long it holds what it holds; times in seconds.

    `transaction_age_s` is None outside a transaction; `holds_snapshot` says that a concurrent build would wait for it.
    """

    kind: ActivityKind
    name: str
    database: str | None
    user: str | None
    state: str | None
    pid: int | None = None
    application: str | None = None
    transaction_age_s: float | None = None
    statement_age_s: float | None = None
    holds_snapshot: bool = False
    waits_for_lock: bool = False
    snapshot_age: int | None = None
    retained_bytes: int | None = None
    statement: str | None = None
