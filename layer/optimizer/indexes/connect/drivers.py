"""One interface to the drivers of PostgreSQL and of MySQL and MariaDB: connections, queries and errors.

A driver is imported when a connection to its engine is opened, so that a Lambda without the driver can load this
module.
"""

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from optimizer.core import OptimizerError
from optimizer.indexes.connect import search_path
from optimizer.indexes.connect.login import Address, ClearTextRequested, Login

if TYPE_CHECKING:
    import pg8000.native
    import pymysql.connections

    from optimizer.indexes.connect.data_api import DataApiConnection

APPLICATION = "serverless-optimizer"
_CONNECT_WITHIN_S = 5.0
_WRONG_PASSWORD = ("28P01", "28000", 1045, 1698)

type Connection = "pg8000.native.Connection | pymysql.connections.Connection[Any] | DataApiConnection"


class DatabaseUnreachable(OptimizerError, ConnectionError):
    """The server cannot be reached or closed the connection; a later attempt can succeed."""


class AccessDenied(OptimizerError, PermissionError):
    """The server does not accept the credentials, not even after they were read again."""


class LoginRefused(AccessDenied):
    """The password is not sent, because the server could give it away or is not the one that it belongs to."""


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

    from optimizer.indexes.connect.postgresql_login import GuardedConnection

    try:
        made = GuardedConnection(
            login.user,
            clear_text=login.may_send_clear_text,
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
    except ClearTextRequested as requested:
        raise _clear_text_refused(login, requested) from requested
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
    from pymysql.err import MySQLError, OperationalError

    from optimizer.indexes.connect.mysql_login import GuardedConnection

    try:
        return GuardedConnection(
            clear_text=login.may_send_clear_text,
            proven=login.is_proven,
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
    except ClearTextRequested as requested:
        raise _clear_text_refused(login, requested) from requested
    except OperationalError as refused:
        if error_code(refused) in _WRONG_PASSWORD:
            raise _refusal(address, login.user, refused) from refused
        raise DatabaseUnreachable(f"{address.host}:{address.port} cannot be reached: {refused}") from refused
    except (MySQLError, OSError, UnicodeError) as broken:
        raise DatabaseUnreachable(f"{address.host}:{address.port} cannot be reached: {broken}") from broken


def _clear_text_refused(login: Login, requested: ClearTextRequested) -> Exception:
    where = f"{login.address.host}:{login.address.port}"
    if login.is_token:
        what = f"the IAM token in clear text ({requested}): it is sent only over verified TLS"
        return LoginRefused(f"{where} asks for {what}")
    remedy = "" if login.is_for_host else "; if it is MySQL with TLS, name the host in the secret, as `host`"
    what = f"the password in clear text ({requested}): a stored password is not sent so{remedy}"
    return LoginRefused(f"{where} asks for {what}")


def _refusal(address: Address, user: str, error: BaseException) -> Exception:
    code = error_code(error)
    if code in _WRONG_PASSWORD:
        return AccessDenied(f"{address.host}:{address.port} does not accept the credentials of {user} ({code})")
    return DatabaseUnreachable(f"{address.host}:{address.port} refuses the connection: {error}")
