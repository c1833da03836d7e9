"""The work of a database server: statements, stored code and index builds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatementStat:
    """The server's counters of one normalised statement; times in milliseconds.

    `key` is unique on the server: (user, database, top level, query id) on PostgreSQL, (schema, digest) on MySQL and
    MariaDB. `text` is None if the role may not see it. A counter that the server does not have is None.
    """

    key: str
    text: str | None
    calls: int
    total_ms: float
    mean_ms: float
    rows: int
    rows_examined: int | None = None
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A view, routine, trigger or event whose text may name an index in a hint (MySQL and MariaDB)."""

    kind: str
    schema: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BuildInProgress:
    """A running index build: neither its index nor its table may be changed."""

    table_oid: int | None = None
    index_oid: int | None = None
