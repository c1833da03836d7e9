"""One database connection of a Lambda function, opened once and reused by warm invocations.

Opening a connection costs a TCP and a TLS handshake, a login and, on PostgreSQL, a process on the server. A connection
in module scope is opened once for each execution environment. It is checked before use, because the server, a proxy or
the network may have dropped it meanwhile. An old one is replaced, which follows a failover or a rotated password.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Closable", "ReusedConnection"]


class Closable(Protocol):
    """The connection of any driver."""

    def close(self) -> object:
        """Close the connection."""
        ...


class ReusedConnection[C: Closable]:
    """Keeps one connection; create it in module scope.

    `connect` opens a connection. `check` raises if the connection given to it is broken, for example by `SELECT 1`. A
    connection older than `max_age_s` is replaced. One that was used less than `check_after_s` ago is not checked again.
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
        """Call `work` with a healthy connection and return its result; one caller at a time.

        If `work` raises, the connection is closed, because its state is unknown.
        """
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
        """Close the connection; the next `run` opens a new one."""
        with self._lock:
            self._give_up()

    def _healthy(self) -> C:
        now = self._clock()
        if self._connection is not None and now - self._opened_at >= self._max_age_s:
            self._give_up()
        if self._connection is not None and now - self._used_at >= self._check_after_s:
            try:
                self._check(self._connection)
            except Exception:  # noqa: BLE001 - drivers raise errors of their own, and any of them means a broken connection
                self._give_up()
        if self._connection is None:
            self._connection = self._connect()
            self._opened_at = self._used_at = self._clock()
        return self._connection

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # The connection may be broken, so closing it may fail.
            with contextlib.suppress(Exception):
                connection.close()
