"""Reads the catalogs of all nodes of a database: the writer, through its reading endpoint, and every replica."""

from collections.abc import Sequence
from typing import Any

from optimizer.core import OptimizerError
from optimizer.indexes.completeness import first_missing_field
from optimizer.indexes.connect.pool import Connections
from optimizer.indexes.model.catalog import Catalog
from optimizer.policy import Database


class UnsupportedServer(OptimizerError, ValueError):
    """The server is too old, or has no such database."""


def read_nodes(database: Database, pool: Connections) -> Sequence[Catalog]:
    """The writer's catalog first. A replica that cannot be asked raises Unreachable: what it uses is not known, and
    nothing may be concluded from the others."""
    hosts = [database.read_host, *database.readers]
    return [_read(database, pool.get(database, host), host or database.host) for host in hosts]


def _read(database: Database, connection: Any, node: str) -> Catalog:
    try:
        found = _catalog(database, connection, node)
    except UnsupportedServer:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, AssertionError) as odd:
        # Catalogs differ between versions, forks and what a role may see. Nothing is concluded from half of one.
        raise UnsupportedServer(f"{node} says of its tables and indexes what is not understood: {odd!r}") from odd
    missing = first_missing_field(found)
    if missing:
        raise UnsupportedServer(f"{node} says nothing of {missing}, which every server is known to say")
    return found


def _catalog(database: Database, connection: Any, node: str) -> Catalog:
    if database.engine == "postgresql":
        from optimizer.indexes.postgresql.look import look
        from optimizer.indexes.postgresql.reader import PostgresqlTooOld as TooOldPostgres

        try:
            return look(connection, node=node)
        except TooOldPostgres as old:
            raise UnsupportedServer(str(old)) from old
    from optimizer.indexes.mysql import reader
    from optimizer.indexes.mysql.session import MysqlTooOld

    try:
        return reader.read_catalog(connection, database=database.database, node=node)
    except (MysqlTooOld, reader.NoSuchDatabase) as unusable:
        raise UnsupportedServer(str(unusable)) from unusable
