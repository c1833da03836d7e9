"""Test encrypted connections to real servers, which must prove to be the host in the policy."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from local_account.servers import HOST, certificates, mysql, mysql_family, postgresql
from local_account.servers.certificates import Certificates
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import DatabaseUnreachable
from optimizer.indexes.connect.pool import Connections
from optimizer.policy.model import Database

LOGIN = {
    "postgresql": (postgresql.SUPERUSER, postgresql.PASSWORD),
    "mysql": (mysql_family.USER, mysql_family.PASSWORD),
}
OURS = {
    "postgresql": "SELECT ssl AS it FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SHOW SESSION STATUS LIKE 'Ssl_version'",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["postgresql", "mysql"])
def database(request: Any, server: Callable[[Any], Any], files: Certificates) -> Iterator[Database]:
    """Return a database on a server with TLS, which PostgreSQL from the wheel does not support."""
    if request.param == "postgresql":
        running = server(postgresql.DEBIAN_15)
        key = running.folder / "tls.key"
        shutil.copy(files.key, key)
        key.chmod(0o600)
        postgresql.hand_over(key, postgresql.unprivileged_user())
        shutil.copy(files.certificate, running.folder / "tls.crt")
        settings = {"ssl_cert_file": running.folder / "tls.crt", "ssl_key_file": key, "ssl": "on"}
        with running.session() as session:
            for name, value in settings.items():
                session.run(f"ALTER SYSTEM SET {name} = '{value}'")
            session.run("SELECT pg_reload_conf()")
            yield _database(request.param, running.port, "postgres")
            session.run("ALTER SYSTEM RESET ALL")
            session.run("SELECT pg_reload_conf()")
    else:
        running = server(mysql.MYSQL)
        with running.session() as session, session.cursor() as cursor:
            for name, value in (("ssl_ca", files.authority), ("ssl_cert", files.certificate), ("ssl_key", files.key)):
                cursor.execute(f"SET GLOBAL {name} = '{value}'")
            cursor.execute("ALTER INSTANCE RELOAD TLS")
            yield _database(request.param, running.port, "mysql")


def test_connection_is_encrypted_if_the_certificate_matches(database: Database, files: Certificates) -> None:
    pool = _pool(database.engine, files.authority)
    (row,) = drivers.rows(pool.get(database), OURS[database.engine])
    assert row.get("it") is True or row["Value"].startswith("TLS")
    pool.forget(database)


def test_wrong_certificate_is_rejected(database: Database, files: Certificates, tmp_path: Path) -> None:
    other = certificates.make(tmp_path)
    for wrong, trusted in ((database, other.authority), (replace(database, host="localhost"), files.authority)):
        with pytest.raises(DatabaseUnreachable, match="certificate"):
            _pool(database.engine, trusted).get(wrong)


def _database(engine: str, port: int, name: str) -> Database:
    return Database("shop", engine, HOST, name, port=port, secret_arn="arn", ca_key="policy/ca.pem")


def _pool(engine: str, authority: Path) -> Connections:
    user, password = LOGIN[engine]
    secret = json.dumps({"username": user, "password": password, "host": HOST, "hosts": ["localhost"]})
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": secret})
    return Connections(lambda: secrets, lambda: None, lambda _key: authority.read_text())
