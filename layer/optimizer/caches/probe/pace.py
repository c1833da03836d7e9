"""Limit how fast and how long a server is read. Pure."""

from collections import deque
from statistics import median

from optimizer.caches.probe.result import Stopped

# The server counts as slower when half of this many answers in a row take twice as long as before.
WINDOW = 30
# Below this time an answer measures the client's own scheduler.
_RESOLUTION_MS = 0.1


class Guard:
    """Measures how long the server takes to answer a PING."""

    def __init__(self, before_ms: list[float], most: float = 2.0) -> None:
        """`before_ms` are the times of PINGs before the probe; `most` is the factor at which to stop."""
        self.before_ms = median(before_ms)
        self._most = most
        self._last: deque[float] = deque(maxlen=WINDOW)

    @property
    def now_ms(self) -> float:
        """Return the median time of the last answers, in ms."""
        return median(self._last) if self._last else self.before_ms

    def is_slower(self, ping_ms: float) -> bool:
        """Return True if the server, this answer included, has become too slow."""
        self._last.append(ping_ms)
        return len(self._last) == WINDOW and self.now_ms >= self._most * max(self.before_ms, _RESOLUTION_MS)


class Pace:
    """Limits the time that requests take to a share of all time."""

    def __init__(self, duty: float) -> None:
        """`duty` is that share, in (0, 1]."""
        if not 0 < duty <= 1:
            raise ValueError(f"duty, a share of the time, must lie in (0, 1], not {duty}")
        self._duty = duty
        self.busy_s = 0.0

    def pause_s(self, busy_s: float) -> float:
        """Return how long to wait after requests that took `busy_s`."""
        self.busy_s += busy_s
        return busy_s * (1 - self._duty) / self._duty


def reached_limit(keys_seen: int, most_keys: int, elapsed_s: float, most_s: float) -> Stopped | None:
    """Return the limit that was reached, if any."""
    if keys_seen >= most_keys:
        return Stopped.ENOUGH_KEYS
    return Stopped.OUT_OF_TIME if elapsed_s >= most_s else None
