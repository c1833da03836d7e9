"""A connection of the driver for MySQL and MariaDB that sends a password only in ways that keep it secret.

The server chooses the method of authentication. With most methods it learns only that the client knows the password.
With `caching_sha2_password`, the default of MySQL, and `sha256_password` it may ask for the password itself, through
TLS or encrypted with a key that it sends: that is safe only if it proved its name. With `mysql_clear_password` it
always learns the password; RDS uses this method for IAM tokens (MySQL manual, "Pluggable Authentication").
"""

from typing import TYPE_CHECKING, Any

from pymysql.connections import Connection

from optimizer.indexes.connect.login import ClearTextRequested

_CLEAR_TEXT = "mysql_clear_password"
_SHA256 = "sha256_password"
_CACHING_SHA2 = "caching_sha2_password"
# An empty name stands for the first of these.
_RESPONSES = ("", "mysql_native_password", "client_ed25519")
_REQUEST_PUBLIC_KEY = b"\x02"

if TYPE_CHECKING:
    # The types of the driver know neither its steps of a login nor that the class takes no argument when it runs.
    class _Driver(Connection[Any]):
        _auth_plugin_name: str
        password: bytes

        def _request_authentication(self) -> None: ...
        def _process_auth(self, plugin_name: Any, auth_packet: Any, handler: Any = None) -> Any: ...

else:
    _Driver = Connection


class GuardedConnection(_Driver):
    """A connection that raises ClearTextRequested instead of sending the password in a way that is not allowed.

    `clear_text`: the password may be sent with any method. `proven`: the server proved its name, or is this machine.
    """

    def __init__(self, *, clear_text: bool, proven: bool, **settings: Any) -> None:
        self._may_send_clear_text = clear_text
        self._is_proven = proven
        self._method = ""
        self._is_logging_in = True
        super().__init__(**settings)
        self._is_logging_in = False

    def _request_authentication(self) -> None:
        self._check(self._auth_plugin_name)
        super()._request_authentication()

    def _process_auth(self, plugin_name: Any, auth_packet: Any, handler: Any = None) -> Any:
        self._check(plugin_name)
        return super()._process_auth(plugin_name, auth_packet, handler)

    def write_packet(self, payload: bytes) -> None:
        """Write a packet of the login, or of a statement."""
        asks_for_key = payload == _REQUEST_PUBLIC_KEY or payload == self.password + b"\0"
        if self._is_logging_in and self._method == _CACHING_SHA2 and asks_for_key and not self._is_proven:
            raise ClearTextRequested(f"{_CACHING_SHA2} with the password itself")
        super().write_packet(payload)

    def _check(self, method: bytes | str) -> None:
        """Raise ClearTextRequested if the server may not be given the password with this method."""
        name = method.decode("ascii", "backslashreplace") if isinstance(method, bytes) else method
        self._method = name
        allowed = (
            name in (*_RESPONSES, _CACHING_SHA2)
            or (name == _SHA256 and self._is_proven)
            or (name == _CLEAR_TEXT and self._may_send_clear_text)
        )
        if not allowed:
            raise ClearTextRequested(name)
