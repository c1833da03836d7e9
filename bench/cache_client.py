"""Measure the time that the cache client adds to a call of redis-py, in microseconds.

    python bench/cache_client.py

The server is left out on both sides: a stand-in client answers at once, so that only the library's own work is timed
(decoding the value is the application's and left out too). The best of several rounds counts; the limit is 5 µs.
"""

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "packages" / "optimizer-cache"))

from optimizer_cache import Bounds, Cache, Namespace
from optimizer_cache.early import Entry

LIMIT_US = 5.0


class StandIn:
    """A client that answers every get with the same entry."""

    connection_pool = SimpleNamespace(connection_kwargs={"socket_timeout": 1.0})

    def __init__(self) -> None:
        self._stored = Entry(time.time() + 3600, 0.001, b"value").pack()

    def get(self, name: str | bytes) -> bytes:
        """Return the entry, as in redis-py. The name of a version is text."""
        return b"v1" if isinstance(name, str) else self._stored

    def set(self, *_: Any, **__: Any) -> bool:
        """Store nothing, as if redis-py had stored it."""
        return True


def best_us(call: Callable[[], Any], calls: int = 1000, rounds: int = 200) -> float:
    """Return the microseconds of one call, in the best round."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - started) / calls * 1e6)
    return min(times)


def main() -> None:
    """Print the overhead of a hit, for one busy key and for many."""
    client = StandIn()
    cache = Cache(client, {"page": Namespace(Bounds(60, 1, 3600), decode=bytes)})  # type: ignore[arg-type]
    key_of = itertools.cycle([f"key-{i}" for i in range(10_000)]).__next__
    alone = best_us(lambda: client.get("oc:page:v1:key-1"))
    keyed = best_us(lambda: client.get(key_of()))
    one = best_us(lambda: cache.read("page", "key-1", bytes)) - alone
    many = best_us(lambda: cache.read("page", key_of(), bytes)) - keyed
    for name, figure in (("hit, one busy key", one), ("hit, 10,000 keys", many)):
        print(f"{name:20} {figure:6.2f} µs  <= {LIMIT_US:g}  {'ok' if figure <= LIMIT_US else 'MISSED'}")
    sys.exit(0 if max(one, many) <= LIMIT_US else 1)


if __name__ == "__main__":
    main()
