"""A connection of the driver for PostgreSQL that does not send a password in clear text.

A server may ask for the password itself (PostgreSQL manual, "Password Authentication"). Then whoever can pose as the
server learns the password, so a stored one is not sent, as with `require_auth` of libpq. RDS asks for an IAM token in
this way; it opens one database for 15 minutes, and is sent to a server that proved its name.
"""

from typing import Any

from pg8000.native import Connection

from optimizer.indexes.connect.login import ClearTextRequested

_CLEAR_TEXT = 3


class GuardedConnection(Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that raises ClearTextRequested instead of sending the password, unless `clear_text` allows it."""

    def __init__(self, *arguments: Any, clear_text: bool, **settings: Any) -> None:
        self._may_send_clear_text = clear_text
        super().__init__(*arguments, **settings)

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, context: Any) -> None:  # noqa: N802 - the driver's name
        """Respond to a request of the server for authentication."""
        if int.from_bytes(data[:4], "big") == _CLEAR_TEXT and not self._may_send_clear_text:
            raise ClearTextRequested("password")
        super().handle_AUTHENTICATION_REQUEST(data, context)
