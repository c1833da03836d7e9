"""Tell an outage of the cache from an error that it replies, and leave a cache alone that does not answer."""

import threading
import time
from enum import Enum, auto

import redis


class Failure(Enum):
    """The extent of a failed call.

    OUTAGE: nothing can be asked for a while. REPLY: the server is well and refuses this command for this namespace.
    KEY: it refuses it for this key. HERE: the server was not asked.
    """

    OUTAGE = auto()
    REPLY = auto()
    KEY = auto()
    HERE = auto()


def extent(error: Exception) -> Failure:
    """Return what a failed call says about the cache."""
    if isinstance(error, redis.exceptions.MaxConnectionsError):
        return Failure.HERE
    # A server that is loading, or wants a password, refuses everything; redis-py makes these connection errors.
    if isinstance(error, redis.ResponseError):
        return Failure.KEY if str(error).startswith("WRONGTYPE") else Failure.REPLY
    return Failure.OUTAGE


class Gate:
    """Keeps callers from a cache that did not answer, for a while; then one of them tries it first.

    The first pause is a sixteenth of `pause_s`, because one late answer is no outage. Each trial that fails doubles it,
    up to `pause_s`. `shut_until` is 0 while the cache answers. Threads may share it.
    """

    __slots__ = ("_in_a_row", "_lock", "_on_trial", "_pause_s", "_trial_s", "shut_until")

    def __init__(self, pause_s: float, trial_s: float) -> None:
        self._pause_s = pause_s
        self._trial_s = trial_s
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._on_trial = False
        self.shut_until = 0.0

    def lets_in(self) -> bool:
        """Return True if this caller may ask the cache."""
        until = self.shut_until
        if not until:
            return True
        now = time.monotonic()
        if now < until:
            return False
        with self._lock:
            if self.shut_until != until:
                return not self.shut_until
            self.shut_until = now + self._trial_s
            self._on_trial = True
            return True

    def shut(self) -> None:
        """Keep everybody out for a pause. Callers who fail together count as one."""
        with self._lock:
            if not self.shut_until or self._on_trial:
                self._in_a_row += 1
                self._on_trial = False
            self.shut_until = time.monotonic() + self._pause_s / max(1, 32 >> min(self._in_a_row, 5))

    def open(self) -> None:
        """Let everybody in, because the cache has answered."""
        with self._lock:
            self._in_a_row = 0
            self._on_trial = False
            self.shut_until = 0.0

    def reset(self) -> None:
        """Begin anew in a forked process, where another thread's lock would never be released."""
        self._lock = threading.Lock()
