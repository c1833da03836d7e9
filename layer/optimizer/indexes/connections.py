"""Connections to the team's databases: opened once, reused by warm invocations, replaced when broken, never more than
the policy's number at once.

The drivers are imported when a connection of their engine is opened, so that a Lambda without one can load this.
"""

import contextlib
import json
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optimizer import aws
from optimizer.documents import Documents
from optimizer.policy.model import Database

if TYPE_CHECKING:
    import pg8000.native
    import pymysql.connections
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

APPLICATION = "serverless-optimizer"
_SECRET_AGE_S = 300.0
_CONNECTION_AGE_S = 600.0
_CONNECT_WITHIN_S = 5.0
# A read that takes longer has hung; statements that may take longer run on a connection without a limit.
_READ_WITHIN_S = 60.0
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_WRONG_PASSWORD = ("28P01", "28000", 1045, 1698)

type Connection = "pg8000.native.Connection | pymysql.connections.Connection[Any]"


class Unreachable(ConnectionError):
    """The server cannot be reached or hung up; a later attempt can succeed."""


class AccessDenied(PermissionError):
    """The server does not accept the credentials, also not those read anew."""


class TooManyConnections(RuntimeError):
    """This application has as many connections to the server as the policy allows; a later attempt can succeed."""


class UnusableSecret(ValueError):
    """The secret is no JSON object with `username` and `password`."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node of a database listens."""

    host: str
    port: int

    @classmethod
    def of(cls, database: Database, host: str = "") -> "Address":
        """Of the writer, or of `host` (`host` or `host:port`; an IPv6 address stands in brackets with its port)."""
        port = database.port or _PORTS[database.engine]
        name = host or database.host
        if name.startswith("["):
            inner, _, rest = name[1:].partition("]")
            return cls(inner, int(rest[1:]) if rest else port)
        if name.count(":") == 1:
            name, _, text = name.partition(":")
            port = int(text)
        return cls(name, port)


@dataclass(slots=True)
class _Kept:
    connection: Connection
    opened_at: float


@dataclass(slots=True)
class Connections:
    """All connections of one execution environment; keep it in module scope.

    secrets, rds: clients, made only when needed. read_ca: the PEM text of a key in the application's bucket.
    clock: seconds, monotonic.
    """

    secrets: Callable[[], "SecretsManagerClient"]
    rds: Callable[[], "RDSClient"]
    read_ca: Callable[[str], str]
    clock: Callable[[], float] = time.monotonic
    _kept: dict[tuple[str, Address], _Kept] = field(default_factory=dict)
    _secrets: dict[str, tuple[float, tuple[str, str]]] = field(default_factory=dict)

    def get(self, database: Database, host: str = "") -> Connection:
        """A healthy connection to the writer, or to `host`, that is kept for the next call. Unreachable, AccessDenied
        or TooManyConnections say why there is none."""
        key = (database.name, Address.of(database, host))
        kept = self._kept.pop(key, None)
        if kept is not None:
            young = self.clock() - kept.opened_at < _CONNECTION_AGE_S
            if young and is_healthy(kept.connection):
                self._kept[key] = kept
                return kept.connection
            close(kept.connection)
        connection = self.open(database, host, read_within_s=_READ_WITHIN_S)
        self._kept[key] = _Kept(connection, self.clock())
        return connection

    def open(self, database: Database, host: str = "", *, read_within_s: float | None = None) -> Connection:
        """A new connection that the caller closes; for a statement that may take hours `read_within_s` is None."""
        address = Address.of(database, host)
        try:
            connection = self._connect(database, address, read_within_s, anew=False)
        except AccessDenied:
            # The password was rotated after it was read; an IAM token is always new.
            if not database.secret_arn:
                raise
            connection = self._connect(database, address, read_within_s, anew=True)
        try:
            _take_place(connection, database.max_connections)
        except BaseException:
            close(connection)
            raise
        return connection

    def forget(self, database: Database) -> None:
        """Close what is kept for this database; the next `get` opens a new one."""
        for key in [key for key in self._kept if key[0] == database.name]:
            close(self._kept.pop(key).connection)

    def _connect(self, database: Database, address: Address, read_within_s: float | None, *, anew: bool) -> Connection:
        user, password = self._credentials(database, address, anew=anew)
        tls = self._tls(database)
        return connect(database.engine, database.database, address, user, password, tls, read_within_s)

    def _credentials(self, database: Database, address: Address, *, anew: bool) -> tuple[str, str]:
        if not database.secret_arn:
            token = self.rds().generate_db_auth_token(
                DBHostname=address.host, Port=address.port, DBUsername=database.user
            )
            return database.user, token
        read_at, known = self._secrets.get(database.secret_arn, (0.0, None))
        if known is None or anew or self.clock() - read_at > _SECRET_AGE_S:
            known = self._read_secret(database.secret_arn)
            self._secrets[database.secret_arn] = (self.clock(), known)
        return known

    def _read_secret(self, arn: str) -> tuple[str, str]:
        text = self.secrets().get_secret_value(SecretId=arn)["SecretString"]
        try:
            document = json.loads(text)
            return str(document["username"]), str(document["password"])
        except (ValueError, KeyError, TypeError) as wrong:
            # Without the text, which is secret.
            raise UnusableSecret(f"{arn} must be a JSON object with username and password") from wrong

    def _tls(self, database: Database) -> ssl.SSLContext | None:
        if database.tls == "off":
            return None
        context = ssl.create_default_context()
        if database.ca_key:
            context.load_verify_locations(cadata=self.read_ca(database.ca_key))
        return context


def from_environment() -> Connections:
    """Those of a Lambda: clients and bucket as its environment says, when they are first needed."""

    def read_ca(key: str) -> str:
        bucket = os.environ["OPTIMIZER_BUCKET"]
        return Documents(aws.client("s3"), bucket).read_bytes(key).decode()

    return Connections(lambda: aws.client("secretsmanager"), lambda: aws.client("rds"), read_ca)


def connect(
    engine: str,
    database: str,
    address: Address,
    user: str,
    password: str,
    tls: ssl.SSLContext | None,
    read_within_s: float | None,
) -> Connection:
    """A new connection in autocommit that the caller closes; Unreachable or AccessDenied. `engine` as in the policy;
    without `tls` nothing is encrypted."""
    if engine == "postgresql":
        return _connect_postgresql(database, address, user, password, tls, read_within_s)
    return _connect_mysql(database, address, user, password, tls, read_within_s)


def is_healthy(connection: Connection) -> bool:
    """Whether the server still answers on it."""
    try:
        rows(connection, "SELECT 1 AS one")
    except _errors():
        return False
    return True


def close(connection: Connection) -> None:
    """Hang up, whatever state it is in."""
    with contextlib.suppress(*_errors()):
        connection.close()


def rows(connection: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
    """Run one statement, with `:name` (PostgreSQL) or `%(name)s` (MySQL, MariaDB) for values; the rows by column."""
    driven: Any = connection
    if hasattr(driven, "cursor"):
        with driven.cursor() as cursor:
            cursor.execute(sql, values or None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    found = driven.run(sql, **values) or []
    names = [column["name"] for column in driven.columns or ()]
    return [dict(zip(names, row, strict=True)) for row in found]


def error_code(error: BaseException) -> str | int | None:
    """SQLSTATE on PostgreSQL, the error number on MySQL and MariaDB; None if the server did not give one."""
    first = error.args[0] if error.args else None
    if isinstance(first, dict):
        return str(first.get("C"))
    return first if isinstance(first, int) else None


def _errors() -> tuple[type[BaseException], ...]:
    """What a driver raises of a broken connection; only of drivers that are loaded."""
    found: list[type[BaseException]] = [OSError]
    with contextlib.suppress(ImportError):
        from pg8000.exceptions import DatabaseError, InterfaceError

        found += [InterfaceError, DatabaseError]
    with contextlib.suppress(ImportError):
        from pymysql.err import Error

        found.append(Error)
    return tuple(found)


def _connect_postgresql(
    database: str,
    address: Address,
    user: str,
    password: str,
    tls: ssl.SSLContext | None,
    read_within_s: float | None,
) -> Connection:
    from pg8000.exceptions import DatabaseError, InterfaceError
    from pg8000.native import Connection

    try:
        return Connection(
            user,
            host=address.host,
            port=address.port,
            database=database,
            password=password,
            sock=_socket(address, read_within_s),
            # False and not None: None would take encryption without looking at the certificate.
            ssl_context=tls or False,
            application_name=APPLICATION,
        )
    except (InterfaceError, OSError) as broken:
        raise Unreachable(f"{address.host}:{address.port} cannot be reached: {broken}") from broken
    except DatabaseError as refused:
        raise _refusal(address, user, refused) from refused


def _socket(address: Address, read_within_s: float | None) -> socket.socket:
    """Made here, because the driver knows but one limit for connecting and for reading."""
    made = socket.create_connection((address.host, address.port), _CONNECT_WITHIN_S)
    made.settimeout(read_within_s)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made


def _connect_mysql(
    database: str,
    address: Address,
    user: str,
    password: str,
    tls: ssl.SSLContext | None,
    read_within_s: float | None,
) -> Connection:
    import pymysql
    from pymysql.err import MySQLError, OperationalError

    try:
        return pymysql.connect(
            host=address.host,
            port=address.port,
            user=user,
            password=password,
            database=database,
            charset="utf8mb4",
            connect_timeout=int(_CONNECT_WITHIN_S),
            read_timeout=read_within_s,
            ssl=tls,
            ssl_disabled=tls is None,
            autocommit=True,
            program_name=APPLICATION,
        )
    except OperationalError as refused:
        if error_code(refused) in _WRONG_PASSWORD:
            raise _refusal(address, user, refused) from refused
        raise Unreachable(f"{address.host}:{address.port} cannot be reached: {refused}") from refused
    except (MySQLError, OSError) as broken:
        raise Unreachable(f"{address.host}:{address.port} cannot be reached: {broken}") from broken


def _refusal(address: Address, user: str, error: BaseException) -> Exception:
    code = error_code(error)
    if code in _WRONG_PASSWORD:
        return AccessDenied(f"{address.host}:{address.port} does not let {user} in ({code})")
    return Unreachable(f"{address.host}:{address.port} refuses the connection: {error}")


def _take_place(connection: Connection, most: int) -> None:
    """Of connections opened at the same time the earlier ones stay: each counts those before it, on the server, so that
    no more than `most` remain however many environments there are."""
    if hasattr(connection, "cursor"):
        for place in range(most):
            (answer,) = rows(connection, "SELECT GET_LOCK(%(name)s, 0) AS taken", name=f"{APPLICATION}-{place}")
            if answer["taken"] == 1:
                return
        raise TooManyConnections(f"{most} connections to the server are open already")
    (answer,) = rows(
        connection,
        "SELECT count(*) AS before FROM pg_stat_activity other, pg_stat_activity own"
        " WHERE own.pid = pg_backend_pid() AND other.application_name = own.application_name"
        " AND other.usesysid = own.usesysid AND (other.backend_start, other.pid) < (own.backend_start, own.pid)",
    )
    if answer["before"] >= most:
        raise TooManyConnections(f"{most} connections to the server are open already")
