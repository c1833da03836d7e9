"""Reads the catalogs of all nodes of a database: of the writer, through its reading endpoint, and of each replica."""

from collections.abc import Sequence
from typing import Any

from optimizer.core import OptimizerError
from optimizer.indexes.completeness import first_missing_field
from optimizer.indexes.connect.pool import Connections
from optimizer.indexes.model.catalog import Catalog
from optimizer.policy import Database


class UnsupportedServer(OptimizerError, ValueError):
    """The server is too old, lacks the database, or describes its tables in an unknown way."""


def read_nodes(database: Database, pool: Connections) -> Sequence[Catalog]:
    """Return the catalogs of all nodes, the writer first.

    Raise DatabaseUnreachable if a replica does not respond: its use of indexes is unknown, so nothing may be concluded
    from the other nodes.
    """
    hosts = [database.read_host, *database.readers]
    return [_read(database, pool.get(database, host), host or database.host) for host in hosts]


def _read(database: Database, connection: Any, node: str) -> Catalog:
    try:
        found = _catalog(database, connection, node)
    except UnsupportedServer:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, AssertionError) as error:
        # Catalogs differ between versions, forks and roles. Nothing is concluded from an incomplete one.
        raise UnsupportedServer(f"{node} describes its tables and indexes in an unknown way: {error!r}") from error
    missing = first_missing_field(found)
    if missing:
        raise UnsupportedServer(f"{node} does not report {missing}, which every known server reports")
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
