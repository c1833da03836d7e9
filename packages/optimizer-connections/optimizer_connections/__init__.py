"""One database connection of a Lambda function, opened once and reused by warm invocations.

Opening a connection costs a TCP and a TLS handshake, a login and, on PostgreSQL, a process on the server. Kept in
module scope it is opened once for each execution environment; checked before use it does not surprise a caller when the
server, a proxy or the network has dropped it meanwhile; replaced when old it follows a failover or a rotated password.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Closable", "ReusedConnection"]


class Closable(Protocol):
    """What every driver's connection is."""

    def close(self) -> object:
        """Hang up."""
        ...


class ReusedConnection[C: Closable]:
    """Keep one in module scope.

    `connect` opens a connection. `check` raises if the connection given to it is broken, for example by `SELECT 1`.
    `max_age_s`: it is replaced when it is older. `check_after_s`: one used a moment ago is not checked again.
    """

    def __init__(
        self,
        connect: Callable[[], C],
        check: Callable[[C], object],
        *,
        max_age_s: float = 600.0,
        check_after_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._check = check
        self._max_age_s = max_age_s
        self._check_after_s = check_after_s
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: C | None = None
        self._opened_at = self._used_at = float("-inf")

    def run[T](self, work: Callable[[C], T]) -> T:
        """What `work` returns of a healthy connection; one caller at a time. If `work` raises, the connection is given
        up, because nobody knows in which state it was left."""
        with self._lock:
            connection = self._healthy()
            try:
                answer = work(connection)
            except BaseException:
                self._give_up()
                raise
            self._used_at = self._clock()
            return answer

    def close(self) -> None:
        """Hang up; the next `run` opens a new one."""
        with self._lock:
            self._give_up()

    def _healthy(self) -> C:
        now = self._clock()
        if self._connection is not None and now - self._opened_at >= self._max_age_s:
            self._give_up()
        if self._connection is not None and now - self._used_at >= self._check_after_s:
            try:
                self._check(self._connection)
            except Exception:  # noqa: BLE001 - whatever the driver says: it is replaced
                self._give_up()
        if self._connection is None:
            self._connection = self._connect()
            self._opened_at = self._used_at = self._clock()
        return self._connection

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # It was given up because it may be broken.
            with contextlib.suppress(Exception):
                connection.close()
