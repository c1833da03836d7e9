"""Connections to the team's databases: opened once, reused by warm invocations and replaced when broken.

There are never more at once than the policy allows.
"""

import hashlib
import json
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from optimizer.aws import RDSClient, SecretsManagerClient, clients
from optimizer.indexes.connect.drivers import AccessDenied, Connection, LoginRefused, close, connect, is_healthy
from optimizer.indexes.connect.login import Address, Login
from optimizer.indexes.connect.secret_hosts import normalize_host, secret_hosts
from optimizer.indexes.connect.slots import take_slot
from optimizer.policy import Database
from optimizer.store import Documents

_SECRET_AGE_S = 300.0
_CONNECTION_AGE_S = 600.0
# A read that takes longer has hung; statements that may take longer run on a connection without a limit.
_READ_WITHIN_S = 60.0
# The Data API waits up to 45 s for a statement before it reports that the statement is still running.
_DATA_API_ANSWERS_WITHIN_S = 60


class UnusableSecret(AccessDenied):
    """The secret is not a JSON object with `username` and `password`."""


class UntrustedCertificates(AccessDenied):
    """The stack does not name the file of certificates that the policy names."""


@dataclass(frozen=True, slots=True)
class _Secret:
    user: str
    password: str = field(repr=False)
    hosts: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Kept:
    connection: Connection
    opened_at: float


@dataclass(slots=True)
class Connections:
    """All connections of one execution environment; keep the object in module scope.

    `secrets` and `rds` create their clients when they are first needed. `read_ca` reads the PEM text of a key in the
    application's bucket. `clock` returns monotonic seconds. `data_api` creates the client of the RDS Data API; with
    True the client does not retry.
    """

    secrets: Callable[[], "SecretsManagerClient"]
    rds: Callable[[], "RDSClient"]
    read_ca: Callable[[str], str]
    clock: Callable[[], float] = time.monotonic
    data_api: Callable[[bool], Any] = field(default=lambda once: _data_api(once))
    _kept: dict[tuple[str, Address], _Kept] = field(default_factory=dict)
    _secrets: dict[str, tuple[float, _Secret]] = field(default_factory=dict)

    def get(self, database: Database, host: str = "") -> Connection:
        """Return a healthy connection to the writer, or to `host`, and keep it for the next call.

        Raise DatabaseUnreachable, AccessDenied or TooManyConnections if there is none.
        """
        if database.data_api_arn:
            return self._through_data_api(database, once=False)
        key = (database.name, Address.of_node(database, host))
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
        """Open a connection that the caller closes; `read_within_s` is None for a statement that may take hours."""
        if database.data_api_arn:
            return self._through_data_api(database, once=True)
        address = Address.of_node(database, host)
        try:
            connection = self._connect(database, address, read_within_s, anew=False)
        except AccessDenied:
            # The password was rotated after it was read; an IAM token is always new.
            if not database.secret_arn:
                raise
            connection = self._connect(database, address, read_within_s, anew=True)
        try:
            take_slot(connection, database.max_connections)
        except BaseException:
            close(connection)
            raise
        return connection

    def forget(self, database: Database) -> None:
        """Close the kept connections to this database, so that the next `get` opens a new one."""
        for key in [key for key in self._kept if key[0] == database.name]:
            close(self._kept.pop(key).connection)

    def _through_data_api(self, database: Database, *, once: bool) -> Connection:
        """Return a client that looks like a connection; the API limits the number of real ones itself."""
        from optimizer.indexes.connect.data_api import DataApiConnection

        client = partial(self.data_api, once)
        return DataApiConnection(client, database.data_api_arn, database.secret_arn, database.database)

    def _connect(self, database: Database, address: Address, read_within_s: float | None, *, anew: bool) -> Connection:
        if database.secret_arn:
            secret = self._secret(database, address, anew=anew)
            user, password, is_for_host = secret.user, secret.password, bool(secret.hosts)
        else:
            user, is_for_host = database.user, True
            password = self.rds().generate_db_auth_token(DBHostname=address.host, Port=address.port, DBUsername=user)
        login = Login(
            engine=database.engine,
            database=database.database,
            address=address,
            user=user,
            password=password,
            tls=self._tls(database),
            read_within_s=read_within_s,
            is_token=not database.secret_arn,
            is_for_host=is_for_host,
        )
        return connect(login)

    def _secret(self, database: Database, address: Address, *, anew: bool) -> _Secret:
        read_at, known = self._secrets.get(database.secret_arn, (0.0, None))
        if known is None or anew or self.clock() - read_at > _SECRET_AGE_S:
            known = self._read_secret(database.secret_arn)
            self._secrets[database.secret_arn] = (self.clock(), known)
        if known.hosts and normalize_host(address.host) not in known.hosts:
            raise LoginRefused(
                f"the secret {database.secret_arn} is not for the host {address.host}: name the host in the secret, as "
                "`host` or in the list `hosts`"
            )
        return known

    def _read_secret(self, arn: str) -> _Secret:
        text = self.secrets().get_secret_value(SecretId=arn)["SecretString"]
        try:
            document = json.loads(text)
            return _Secret(str(document["username"]), str(document["password"]), secret_hosts(document))
        except (ValueError, KeyError, TypeError) as wrong:
            # The message leaves out the text, which is secret.
            raise UnusableSecret(f"{arn} must be a JSON object with username and password") from wrong

    def _tls(self, database: Database) -> ssl.SSLContext | None:
        if database.tls == "off":
            return None
        context = ssl.create_default_context()
        if database.ca_key:
            context.load_verify_locations(cadata=self.read_ca(database.ca_key))
        return context


def _data_api(once: bool) -> Any:
    return clients.client("rds-data", once=once, answers_within_s=_DATA_API_ANSWERS_WITHIN_S)


def trusted_certificates(key: str, content: bytes, digests: str) -> bytes:
    """Return the content of a file of certificates if the stack names its digest, in hexadecimal, among `digests`.

    Whoever may write the policy can write this file, too, so it counts only if who deploys the stack has seen it. Raise
    UntrustedCertificates if it does not.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest not in digests.lower().replace(",", " ").split():
        raise UntrustedCertificates(
            f"the stack does not trust the certificates in {key}: deploy it with their SHA-256, {digest}, in the "
            "parameter DatabaseCaSha256 if you know that they are the right ones"
        )
    return content


def from_environment() -> Connections:
    """Return the connections of a Lambda, with the clients and the bucket that its environment names."""

    def read_ca(key: str) -> str:
        found = Documents(clients.client("s3"), os.environ["OPTIMIZER_BUCKET"]).read_bytes(key)
        return trusted_certificates(key, found, os.environ.get("OPTIMIZER_DATABASE_CA_SHA256", "")).decode()

    return Connections(lambda: clients.client("secretsmanager"), lambda: clients.client("rds"), read_ca)
