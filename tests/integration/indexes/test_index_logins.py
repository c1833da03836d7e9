"""Test that a password leaves only for the host in its secret, and never in clear text.

The servers of these tests take TLS, ask for the password in a way of their choice, and note all that arrives.
"""

import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from local_account.servers import HOST, certificates, mysql, mysql_family
from local_account.servers.certificates import Certificates
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.drivers import DatabaseUnreachable, LoginRefused
from optimizer.indexes.connect.login import Address, Login
from optimizer.indexes.connect.pool import Connections, UntrustedCertificates, UnusableSecret, trusted_certificates
from optimizer.indexes.connect.secret_hosts import secret_hosts
from optimizer.policy.model import Database

PASSWORD = "the-password-of-a-tagged-secret"
TOKEN = "the-token-of-iam"
SSL, PLUGIN_AUTH, SECURE_CONNECTION, PROTOCOL_41 = 0x800, 0x80000, 0x8000, 0x200
# The text that PyMySQL's dialog method answers with the password.
PROMPT = b"\x04Password: "


class Rogue:
    """A server that asks for the password in its own way; `received` holds what arrived after TLS began."""

    def __init__(self, files: Certificates, talk: Callable[["Rogue", Any], None], *, tls: bool = True) -> None:
        self.received = b""
        self._talk = talk
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if self.context is not None:
            self.context.load_cert_chain(files.certificate, files.key)
        self._listening = socket.create_server((HOST, 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> "Rogue":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client, suppress(OSError, struct.error):
                client.settimeout(5)
                self._talk(self, client)

    def note(self, client: Any) -> bytes:
        arrived: bytes = client.recv(4096)
        self.received += arrived
        return arrived


def postgresql(rogue: Rogue, client: Any) -> None:
    """Ask for the password in clear text, and accept it."""
    if rogue.context is not None:
        client.recv(8)
        client.sendall(b"S")
        client = rogue.context.wrap_socket(client, server_side=True)
    size = struct.unpack("!I", client.recv(4))[0]
    client.recv(size - 4)
    client.sendall(b"R" + struct.pack("!II", 8, 3))
    if rogue.note(client):
        client.sendall(b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I")
        rogue.note(client)


def mysql_asking(method: bytes, *, at_once: bool = False, then: bytes = b"") -> Callable[[Rogue, Any], None]:
    """Return the talk of a server that asks for the method, in its greeting with `at_once`, and then sends `then`."""

    def talk(rogue: Rogue, client: Any) -> None:
        flags = PLUGIN_AUTH | SECURE_CONNECTION | PROTOCOL_41 | (SSL if rogue.context is not None else 0)
        first = method if at_once else b"mysql_native_password"
        greeting = b"\x0a8.4.0\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", flags & 0xFFFF)
        greeting += b"\xff" + struct.pack("<HHB", 2, flags >> 16, 21) + bytes(10) + b"123456789012\0" + first + b"\0"
        _send(client, 0, greeting)
        number = 1
        if rogue.context is not None:
            client.recv(36)
            client, number = rogue.context.wrap_socket(client, server_side=True), 2
        rogue.note(client)
        if not at_once:
            _send(client, number + 1, b"\xfe" + method + b"\0" + (then or b"x" * 20 + b"\0"))
            rogue.note(client)
        elif then:
            _send(client, number + 1, then)
            rogue.note(client)
        rogue.note(client)

    return talk


def _send(client: Any, number: int, payload: bytes) -> None:
    client.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)


FULL_LOGIN = b"\x01\x04"
MYSQL_REFUSED = {
    "clear": mysql_asking(b"mysql_clear_password"),
    "clear in the greeting": mysql_asking(b"mysql_clear_password", at_once=True),
    "dialog": mysql_asking(b"dialog", then=PROMPT),
    "old": mysql_asking(b"mysql_old_password"),
    "unknown": mysql_asking(b"something_else"),
}
MYSQL_REFUSED_WITHOUT_TLS = {
    "sha256": mysql_asking(b"sha256_password"),
    "sha256 in the greeting": mysql_asking(b"sha256_password", at_once=True),
    "full login": mysql_asking(b"caching_sha2_password", at_once=True, then=FULL_LOGIN),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def trusting(files: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files.authority))


def login(engine: str, port: int, tls: ssl.SSLContext | None, *, token: bool = False, host: str = HOST) -> Login:
    return Login(engine, "shop", Address(host, port), "optimizer", TOKEN if token else PASSWORD, tls, 5.0, token)


@contextmanager
def not_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the server of a test count as another machine."""
    with monkeypatch.context() as patch:
        patch.setattr("optimizer.indexes.connect.login._THIS_MACHINE", ())
        yield


def test_postgresql_gets_no_stored_password_in_clear_text(files: Certificates) -> None:
    for tls in (trusting(files), None):
        with Rogue(files, postgresql, tls=tls is not None) as rogue:
            with pytest.raises(LoginRefused, match="a stored password is not sent so"):
                drivers.connect(login("postgresql", rogue.port, tls))
            assert PASSWORD.encode() not in rogue.received


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_token_leaves_only_over_verified_tls(files: Certificates, engine: str) -> None:
    talk = postgresql if engine == "postgresql" else mysql_asking(b"mysql_clear_password")
    with Rogue(files, talk) as rogue:
        # The server of this test ends the session after the login.
        with pytest.raises(DatabaseUnreachable):
            drivers.connect(login(engine, rogue.port, trusting(files), token=True))
        assert TOKEN.encode() in rogue.received
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    no_host_name = trusting(files)
    no_host_name.check_hostname = False
    for tls in (unverified, no_host_name, None):
        with Rogue(files, talk, tls=tls is not None) as rogue:
            with pytest.raises(LoginRefused, match="only over verified TLS"):
                drivers.connect(login(engine, rogue.port, tls, token=True))
            assert TOKEN.encode() not in rogue.received


@pytest.mark.parametrize("way", MYSQL_REFUSED)
def test_mysql_gets_no_stored_password_in_clear_text(files: Certificates, way: str) -> None:
    for tls in (trusting(files), None):
        with Rogue(files, MYSQL_REFUSED[way], tls=tls is not None) as rogue:
            with pytest.raises(LoginRefused):
                drivers.connect(login("mysql", rogue.port, tls))
            assert PASSWORD.encode() not in rogue.received


@pytest.mark.parametrize("way", MYSQL_REFUSED_WITHOUT_TLS)
def test_mysql_gets_the_password_only_if_it_proves_its_name(
    files: Certificates, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    with not_here(monkeypatch):
        for tls in (unverified, None):
            with Rogue(files, MYSQL_REFUSED_WITHOUT_TLS[way], tls=tls is not None) as rogue:
                with pytest.raises(LoginRefused):
                    drivers.connect(login("mysql", rogue.port, tls))
                assert PASSWORD.encode() not in rogue.received
        with Rogue(files, MYSQL_REFUSED_WITHOUT_TLS[way]) as rogue:
            with pytest.raises(DatabaseUnreachable):
                drivers.connect(login("mysql", rogue.port, trusting(files)))
            assert PASSWORD.encode() in rogue.received


@settings(max_examples=60, deadline=None)
@given(method=st.binary(max_size=30).filter(lambda name: b"\0" not in name), at_once=st.booleans())
def test_no_name_of_a_method_gets_the_stored_password(files: Certificates, method: bytes, at_once: bool) -> None:
    with Rogue(files, mysql_asking(method, at_once=at_once)) as rogue:
        with pytest.raises((LoginRefused, DatabaseUnreachable, drivers.AccessDenied)):
            drivers.connect(login("mysql", rogue.port, trusting(files)))
        assert PASSWORD.encode() not in rogue.received


def test_usual_login_of_mysql_still_works(server: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its default method asks for the password at first, and knows it later."""
    running = server(mysql.MYSQL)
    address = Address(HOST, running.port)
    wanted = Login("mysql", "mysql", address, mysql_family.USER, mysql_family.PASSWORD, None, 5.0)
    drivers.close(drivers.connect(wanted))
    with not_here(monkeypatch):
        drivers.close(drivers.connect(wanted))


def pool(secret: Any) -> Connections:
    text = secret if isinstance(secret, str) else json.dumps(secret)
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": text})
    return Connections(lambda: secrets, lambda: None, str)  # type: ignore[arg-type, return-value]


SECRET = {"username": "optimizer", "password": PASSWORD, "host": "orders-db.example"}


@pytest.mark.parametrize("secret", [SECRET, {**SECRET, "hosts": HOST}, {**SECRET, "host": None, "hosts": ["other"]}])
@pytest.mark.parametrize("engine", ["postgresql", "mysql", "mariadb"])
def test_secret_for_another_host_is_not_sent(files: Certificates, engine: str, secret: Any) -> None:
    with Rogue(files, postgresql, tls=False) as rogue:
        database = Database("shop", engine, HOST, "shop", port=rogue.port, secret_arn="arn", tls="off")
        for host in ("", f"{HOST}:{rogue.port}"):
            with pytest.raises(LoginRefused, match=f"not for the host {HOST}"):
                pool(secret).get(database, host)
        assert rogue.received == b""


def test_secret_without_a_host_is_not_given_to_a_server_that_asks_for_it(
    files: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a certificate that the system trusts shows only whose server it is, not whose password."""
    monkeypatch.setattr(Connections, "_tls", lambda *_: trusting(files))
    for way in MYSQL_REFUSED_WITHOUT_TLS:
        with not_here(monkeypatch), Rogue(files, MYSQL_REFUSED_WITHOUT_TLS[way]) as rogue:
            database = Database("shop", "mysql", HOST, "shop", port=rogue.port, secret_arn="arn")
            with pytest.raises(LoginRefused, match="name the host in the secret"):
                pool({"username": "optimizer", "password": PASSWORD}).get(database)
            assert PASSWORD.encode() not in rogue.received
            with pytest.raises(DatabaseUnreachable):
                pool({"username": "optimizer", "password": PASSWORD, "host": HOST}).get(database)
            assert PASSWORD.encode() in rogue.received


def test_secret_that_cannot_be_read_is_not_repeated() -> None:
    database = Database("shop", "postgresql", "db.example", "shop", secret_arn="arn")
    for text in ("no JSON " + PASSWORD, "[]", '"text"', '{"username": "u"}'):
        with pytest.raises(UnusableSecret, match="username and password") as refused:
            pool(text).get(database)
        assert PASSWORD not in str(refused.value)


WRITER = "shop.cluster-abc.eu-central-1.rds.amazonaws.com"


@pytest.mark.parametrize(
    ("secret", "hosts"),
    [
        ({"host": "Db.Example."}, {"db.example"}),
        ({"host": "db", "hosts": ["proxy", "Replica"]}, {"db", "proxy", "replica"}),
        ({"host": WRITER}, {WRITER, "shop.cluster-ro-abc.eu-central-1.rds.amazonaws.com"}),
        ({"host": f"{WRITER}.cn"}, {f"{WRITER}.cn", "shop.cluster-ro-abc.eu-central-1.rds.amazonaws.com.cn"}),
        ({"host": "shop.cluster-abc.evil.example"}, {"shop.cluster-abc.evil.example"}),
        (
            {"host": "shop.cluster-ro-abc.eu-central-1.rds.amazonaws.com"},
            {"shop.cluster-ro-abc.eu-central-1.rds.amazonaws.com"},
        ),
        ({"host": 7, "hosts": [None, "a", 1]}, {"a"}),
        ({"hosts": "text"}, set()),
    ],
)
def test_secret_names_the_hosts_that_get_it(secret: dict[str, Any], hosts: set[str]) -> None:
    assert secret_hosts(secret) == hosts


def test_secret_is_read_again_if_its_host_has_changed(files: Certificates) -> None:
    """A database that moved gets a new host in its secret."""
    texts = iter([json.dumps(SECRET), json.dumps({**SECRET, "host": HOST})])
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": next(texts)})
    connections = Connections(lambda: secrets, lambda: None, str)  # type: ignore[arg-type, return-value]
    with Rogue(files, postgresql, tls=False) as rogue:
        database = Database("shop", "postgresql", HOST, "shop", port=rogue.port, secret_arn="arn", tls="off")
        with pytest.raises(LoginRefused, match="clear text"):
            connections.get(replace(database))


def test_certificates_count_only_if_the_stack_names_them() -> None:
    digest = hashlib.sha256(b"pem").hexdigest()
    for digests in (digest, f"{'0' * 64},{digest.upper()}"):
        assert trusted_certificates("policy/ca.pem", b"pem", digests) == b"pem"
    for digests in ("", "none", "0" * 64, digest[:-1]):
        with pytest.raises(UntrustedCertificates, match=digest):
            trusted_certificates("policy/ca.pem", b"pem", digests)
