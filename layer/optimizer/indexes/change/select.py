"""The choice of the server class for a database of the policy."""

from functools import partial

from optimizer.indexes.change.mysql import MysqlServer
from optimizer.indexes.change.postgresql import PostgresqlServer
from optimizer.indexes.change.server import DatabaseServer
from optimizer.indexes.connect.pool import Connections
from optimizer.policy import Database


def server_for(database: Database, pool: Connections) -> DatabaseServer:
    """Return the server of the database's writer.

    Changes never go through a proxy, which would hide and reuse their sessions.
    """
    reading, opening = partial(pool.get, database), partial(pool.open, database)
    if database.data_api_arn:
        from optimizer.indexes.change.data_api import DataApiServer

        return DataApiServer(reading, opening)
    if database.engine == "postgresql":
        return PostgresqlServer(reading, opening)
    return MysqlServer(reading, opening, mariadb=database.engine == "mariadb")
