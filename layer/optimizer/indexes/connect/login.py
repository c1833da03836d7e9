"""Where and as whom to log in to a database, and what may be sent there."""

import ssl
from dataclasses import dataclass, field

from optimizer.core import OptimizerError
from optimizer.policy import Database

_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


class ClearTextRequested(OptimizerError):
    """The server asks for the password in a way that gives it away; the argument is the server's word for it."""


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
    response; None waits for as long as it takes. `is_token`: the password is an IAM token. `is_for_host`: whoever keeps
    the password has said that it is for this host.
    """

    engine: str
    database: str
    address: Address
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    read_within_s: float | None = None
    is_token: bool = False
    is_for_host: bool = True

    @property
    def is_verified(self) -> bool:
        """True if the connection is encrypted, and the server must prove its name with a trusted certificate."""
        return self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED and self.tls.check_hostname

    @property
    def is_proven(self) -> bool:
        """True if the server proves to be the one that the password is for, or is this machine."""
        return (self.is_verified and self.is_for_host) or self.address.host in _THIS_MACHINE

    @property
    def may_send_clear_text(self) -> bool:
        """True for an IAM token and a server that proves its name; never for a stored password."""
        return self.is_token and self.is_verified
