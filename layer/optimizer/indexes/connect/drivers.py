"""One interface to the drivers of PostgreSQL and of MySQL and MariaDB: connections, queries and errors.

A driver is imported when a connection to its engine is opened, so that a Lambda without the driver can load this
module.
"""

import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optimizer.core import OptimizerError
from optimizer.indexes.connect import search_path
from optimizer.policy import Database

if TYPE_CHECKING:
    import pg8000.native
    import pymysql.connections

    from optimizer.indexes.connect.data_api import DataApiConnection

APPLICATION = "serverless-optimizer"
_CONNECT_WITHIN_S = 5.0
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_WRONG_PASSWORD = ("28P01", "28000", 1045, 1698)

type Connection = "pg8000.native.Connection | pymysql.connections.Connection[Any] | DataApiConnection"


class DatabaseUnreachable(OptimizerError, ConnectionError):
    """The server cannot be reached or closed the connection; a later attempt can succeed."""


class AccessDenied(OptimizerError, PermissionError):
    """The server does not accept the credentials, not even after they were read again."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address on which a node of a database listens."""

    host: str
    port: int

    @classmethod
    def of_node(cls, database: Database, host: str = "") -> "Address":
        """Return the address of the writer, or of `host`: `host`, `host:port` or `[IPv6 address]:port`."""
        port = database.port or _PORTS[database.engine]
        name = host or database.host
        if name.startswith("["):
            inner, _, rest = name[1:].partition("]")
            return cls(inner, int(rest[1:]) if rest else port)
        if name.count(":") == 1:
            name, _, text = name.partition(":")
            port = int(text)
        return cls(name, port)


@dataclass(frozen=True, slots=True)
class Login:
    """The address and credentials of a connection.

    `engine` is spelled as in the policy. Without `tls` nothing is encrypted. `read_within_s` limits the wait for a
    response; None waits for as long as it takes.
    """

    engine: str
    database: str
    address: Address
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    read_within_s: float | None = None


def connect(login: Login) -> Connection:
    """Open a connection in autocommit that the caller closes. Raise DatabaseUnreachable or AccessDenied.

    On PostgreSQL names are looked up in pg_catalog alone from the first statement on.
    """
    return _connect_postgresql(login) if login.engine == "postgresql" else _connect_mysql(login)


def is_healthy(connection: Connection) -> bool:
    """Tell whether the server still responds on the connection."""
    try:
        rows(connection, "SELECT 1 AS one")
    except errors():
        return False
    return True


def close(connection: Connection) -> None:
    """Close the connection, whatever its state."""
    with contextlib.suppress(*errors()):
        connection.close()


def rows(connection: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
    """Run one statement, with `:name` (PostgreSQL) or `%(name)s` (MySQL, MariaDB) for values, and return the rows by
    column. A text with several statements is an error, and none of them runs."""
    driven: Any = connection
    if hasattr(driven, "records"):
        records: list[dict[str, Any]] = driven.records(sql, **values)
        return records
    if hasattr(driven, "cursor"):
        with driven.cursor() as cursor:
            cursor.execute(sql, values or None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if values:
        found, columns = driven.run(sql, **values), driven.columns
    else:
        # Without values the driver's `run` uses the simple protocol, which runs every statement in a text.
        answer = driven.execute_unnamed(sql)
        found, columns = answer.rows, answer.columns
    names = [column["name"] for column in columns or ()]
    return [dict(zip(names, row, strict=True)) for row in found or ()]


def errors() -> tuple[type[BaseException], ...]:
    """Return the errors that the loaded drivers and the network raise; any other error is a defect of this
    application."""
    found: list[type[BaseException]] = [OSError]
    with contextlib.suppress(ImportError):
        from pg8000.exceptions import DatabaseError, InterfaceError

        found += [InterfaceError, DatabaseError]
    with contextlib.suppress(ImportError):
        from pymysql.err import Error

        found.append(Error)
    return tuple(found)


def error_code(error: BaseException) -> str | int | None:
    """Return the SQLSTATE (PostgreSQL) or the error number (MySQL, MariaDB), None if the server did not send one."""
    first = error.args[0] if error.args else None
    if isinstance(first, dict):
        return str(first.get("C"))
    return first if isinstance(first, int) else None


def _connect_postgresql(login: Login) -> Connection:
    address = login.address
    from pg8000.exceptions import DatabaseError, InterfaceError
    from pg8000.native import Connection

    try:
        made = Connection(
            login.user,
            host=address.host,
            port=address.port,
            database=login.database,
            password=login.password,
            sock=_socket(address, login.read_within_s),
            # None would accept encryption without checking the certificate.
            ssl_context=login.tls or False,
            application_name=APPLICATION,
        )
        try:
            made.run(search_path.CLOSE)
        except BaseException:
            close(made)
            raise
        return made
    except (InterfaceError, OSError) as broken:
        raise DatabaseUnreachable(f"{address.host}:{address.port} cannot be reached: {broken}") from broken
    except DatabaseError as refused:
        raise _refusal(address, login.user, refused) from refused


def _socket(address: Address, read_within_s: float | None) -> socket.socket:
    """Open the socket, because the driver has a single limit for connecting and for reading."""
    made = socket.create_connection((address.host, address.port), _CONNECT_WITHIN_S)
    made.settimeout(read_within_s)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made


def _connect_mysql(login: Login) -> Connection:
    address = login.address
    import pymysql
    from pymysql.err import MySQLError, OperationalError

    try:
        return pymysql.connect(
            host=address.host,
            port=address.port,
            user=login.user,
            password=login.password,
            database=login.database,
            charset="utf8mb4",
            connect_timeout=int(_CONNECT_WITHIN_S),
            read_timeout=login.read_within_s,
            ssl=login.tls,
            ssl_disabled=login.tls is None,
            autocommit=True,
            program_name=APPLICATION,
        )
    except OperationalError as refused:
        if error_code(refused) in _WRONG_PASSWORD:
            raise _refusal(address, login.user, refused) from refused
        raise DatabaseUnreachable(f"{address.host}:{address.port} cannot be reached: {refused}") from refused
    except (MySQLError, OSError) as broken:
        raise DatabaseUnreachable(f"{address.host}:{address.port} cannot be reached: {broken}") from broken


def _refusal(address: Address, user: str, error: BaseException) -> Exception:
    code = error_code(error)
    if code in _WRONG_PASSWORD:
        return AccessDenied(f"{address.host}:{address.port} does not accept the credentials of {user} ({code})")
    return DatabaseUnreachable(f"{address.host}:{address.port} refuses the connection: {error}")
