"""Keep values in the process, for a bounded time and in a bounded number.

They are kept encoded, so that no two callers share an object.
"""

import threading
from collections import OrderedDict


class LocalTier:
    """Keeps the most recently used values, each until its own end. Threads may share it."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._values: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, now: float) -> bytes | None:
        """Return the encoded value, or None."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            if found[0] <= now:
                del self._values[key]
                return None
            self._values.move_to_end(key)
            return found[1]

    def put(self, key: str, value: bytes, until: float) -> None:
        """Keep a value until the clock given to `get` shows `until`."""
        with self._lock:
            self._values[key] = (until, value)
            self._values.move_to_end(key)
            while len(self._values) > self._entries:
                self._values.popitem(last=False)

    def drop(self, key: str) -> None:
        """Forget one value."""
        with self._lock:
            self._values.pop(key, None)
