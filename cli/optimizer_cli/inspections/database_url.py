"""The address of a database and its log-in, from a URL."""

import ipaddress
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote, urlsplit

from optimizer.indexes.connect import Address

_ENGINES = {
    "postgresql": ("postgresql", 5432),
    "postgres": ("postgresql", 5432),
    "mysql": ("mysql", 3306),
    "mariadb": ("mariadb", 3306),
}
_UNENCRYPTED = ("disable", "disabled", "off", "false")


class BadUrl(ValueError):
    """The URL does not identify a database; the message does not repeat it, because it may contain a password."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A node of a database. `engine` as in the policy."""

    engine: str
    address: Address
    user: str
    password: str
    database: str
    tls: bool

    @classmethod
    def parse(cls, url: str, tls: str | None = None) -> "DatabaseUrl":
        """Read `scheme://[user[:password]@]host[:port][/database][?sslmode=disable]`; raises BadUrl.

        `tls`: verify or off; None: as in the URL, else verify unless the host is this machine.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as wrong:
            raise BadUrl(f"this is no URL of a database: {wrong}") from wrong
        if parts.scheme not in _ENGINES:
            raise BadUrl("the URL must begin with postgresql://, mysql:// or mariadb://")
        if not host:
            raise BadUrl(f"the URL names no host: {parts.scheme}://user@host/database")
        engine, usual_port = _ENGINES[parts.scheme]
        user = unquote(parts.username or ("postgres" if engine == "postgresql" else "root"))
        database = unquote(parts.path.removeprefix("/")) or (user if engine == "postgresql" else "")
        query = parse_qs(parts.query)
        mode = (query.get("sslmode") or query.get("ssl-mode") or query.get("ssl") or [""])[0].lower()
        encrypted = tls == "verify" if tls else not (mode in _UNENCRYPTED or (not mode and _is_here(host)))
        return cls(engine, Address(host, port or usual_port), user, unquote(parts.password or ""), database, encrypted)

    @property
    def where(self) -> str:
        """Return host and port."""
        return f"{self.address.host}:{self.address.port}"

    def at(self, host: str) -> "DatabaseUrl":
        """Return the same database at `host` or `host:port`; raises BadUrl."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port
        except ValueError as wrong:
            raise BadUrl(f"--replica {host!r} is no HOST[:PORT]: {wrong}") from wrong
        if not name or parts.path or parts.username is not None:
            raise BadUrl(f"--replica {host!r} is no HOST[:PORT]")
        return replace(self, address=Address(name, port or self.address.port))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
