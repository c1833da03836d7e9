"""Drive reads of a team's caches through the client library on a clock of their own: hours pass in seconds."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from optimizer_cache import Bounds, Cache, Namespace
from optimizer_cache.ttl_parameter import Fetch, TtlParameter, Ttls

# Longer than any test; the entries that a killed test leaves behind expire by themselves.
_REAL_TTL_S = 3600
_PAYLOAD = 200
_LONGEST_READING_S = 30.0


@dataclass(frozen=True, slots=True)
class Stream:
    """Reads of one namespace: Poisson in time; the n-th busiest of `keys` is read in proportion to 1 / n ** skew.

    `load_ms` is the time that the origin takes.
    """

    name: str
    bounds: Bounds
    keys: int
    skew: float
    reads_per_s: float
    load_ms: float = 40.0


type Read = tuple[float, str, str]


def reads(streams: Sequence[Stream], start_s: float, end_s: float, seed: int) -> list[Read]:
    """Return reads as (Unix time, namespace, key) in order of time."""
    generator = np.random.default_rng(seed)
    found: list[Read] = []
    for stream in streams:
        count = int(generator.poisson(stream.reads_per_s * (end_s - start_s)))
        times = generator.uniform(start_s, end_s, count)
        weights = 1 / np.arange(1, stream.keys + 1) ** stream.skew
        keys = generator.choice(stream.keys, count, p=weights / weights.sum())
        found += [(float(at), stream.name, f"k{key}") for at, key in zip(times, keys, strict=True)]
    return sorted(found)


class Clock:
    """A clock that shows the time it is set to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Memory:
    """A stand-in for a server, for tests that need none."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """Return the stored entry, as in redis-py."""
        return self._values.get(name)

    def set(self, name: str, value: bytes | str, ex: int | None = None, nx: bool = False) -> bool:  # noqa: ARG002
        """Store an entry, as in redis-py."""
        if nx and name in self._values:
            return False
        self._values[name] = value if isinstance(value, bytes) else value.encode()
        return True

    def delete(self, name: str) -> int:
        """Delete an entry, as in redis-py."""
        return int(self._values.pop(name, None) is not None)


class TraceTime:
    """A redis-py client whose entries expire by the trace's clock; the server keeps them as long as the test lasts."""

    connection_pool = SimpleNamespace(connection_kwargs={"socket_timeout": 5.0})

    def __init__(self, client: Any, clock: Callable[[], float]) -> None:
        self._client, self._clock = client, clock
        self._until: dict[str, float] = {}

    def get(self, name: str) -> Any:
        """Return the entry unless it has expired by the trace's clock, as in redis-py."""
        until = self._until.get(name)
        if until is not None and self._clock() >= until:
            del self._until[name]
            self._client.delete(name)
            return None
        return self._client.get(name)

    def set(self, name: str, value: Any, px: int | None = None, nx: bool = False) -> Any:
        """Store an entry whose expiry follows the trace's clock, as in redis-py."""
        if px is not None:
            self._until[name] = self._clock() + px / 1000
        return self._client.set(name, value, ex=_REAL_TTL_S, nx=nx)

    def delete(self, name: str) -> Any:
        """Delete an entry, as in redis-py."""
        self._until.pop(name, None)
        return self._client.delete(name)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log, and the Unix time at which it was written."""

    at: float
    text: str


class TraceTimeTtls(TtlParameter):
    """The TTLs of a process whose hours pass in seconds: it waits for each reading, which would take it hours."""

    def ttls(self) -> Ttls:
        """Return the TTLs in force, once a reading that is due has ended."""
        super().ttls()
        if self._reading is not None:
            self._reading.join(_LONGEST_READING_S)
        return self.current


class Application:
    """A team's function at work: one process that reads through the client library."""

    def __init__(
        self,
        streams: Sequence[Stream],
        client: Any,
        start_s: float,
        fetch: Fetch | None = None,
        sample_rate: float = 0.5,
    ) -> None:
        self.clock = Clock(start_s)
        self._load_ms = {stream.name: stream.load_ms for stream in streams}
        bounds = {stream.name: stream.bounds for stream in streams}
        self._cache = Cache(
            TraceTime(client, self.clock),  # type: ignore[arg-type]
            {name: Namespace(bound, encode=bytes, decode=bytes) for name, bound in bounds.items()},
            prefix=f"trace{start_s:.0f}",
            sample_rate=sample_rate,
            version_age_s=float("inf"),
            clock=self.clock,
        )
        # Between two reads of the parameter the library waits by the process' clock, which is too slow here.
        self._cache.parameter = TraceTimeTtls(bounds, fetch, clock=self.clock)

    def run(self, trace: Sequence[Read]) -> Iterator[Line]:
        """Run the reads; yield the logged lines as they come."""
        for at, name, key in trace:
            self.clock.now = at
            self._cache.read(name, key, lambda: b"." * _PAYLOAD)
            yield from self._lines(60.0)
        yield from self._lines(0.0)

    def _lines(self, every_s: float) -> Iterator[Line]:
        for text in self._cache.flush(every_s):
            record = json.loads(text)
            if "LoadTime" in record:
                # There is no origin, so its time is set.
                record["LoadTime"] = self._load_ms[record["CacheNamespace"]]
            yield Line(self.clock.now, json.dumps(record, separators=(",", ":")))
