"""What a database server is doing: statements, stored code and index builds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatementStat:
    """What the server has counted of one normalised statement; times in milliseconds.

    `key` is unique on the server: (user, database, top level, query id) on PostgreSQL, (schema, digest) on MySQL and
    MariaDB. `text` is None where the role may not see it. A count that the server does not keep is None.
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
    """An index build that is running: its index or its table must be left alone."""

    table_oid: int | None = None
    index_oid: int | None = None
