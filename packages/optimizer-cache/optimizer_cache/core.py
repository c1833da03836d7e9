"""The part of a cache that asks no server: names, entries, failures and figures. Both caches share it."""

import logging
import os
import random
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from optimizer_cache.codec import decode_json, encode_json
from optimizer_cache.early import FAR_FROM_END, Entry, jittered_ms, recompute_early
from optimizer_cache.errors import UnknownNamespace, UnusableKey
from optimizer_cache.flights import Flight, Flights
from optimizer_cache.local_tier import LocalTier
from optimizer_cache.measure import NamespaceMeasure, lines
from optimizer_cache.outage import Failure, Gate, extent
from optimizer_cache.ttl_parameter import Bounds, Fetch, TtlParameter

logger = logging.getLogger(__name__)

# A refused or broken client must not take the application with it, so whatever it raises is a failure of the cache.
CACHE_FAILED = (redis.RedisError, OSError, redis.exceptions.RedisClusterException, ValueError)


@dataclass(frozen=True, slots=True)
class Namespace:
    """The way in which one kind of value is kept.

    `jitter` is the share by which TTLs are shortened at random. `beta` is the eagerness of early recomputation, 0 for
    none. A value may also be kept in the process for `local_age_s` seconds, 0 for not at all; `local_entries` limits
    the number of these. `none_ttl_s` is the TTL of None ("there is no such thing"), where it is shorter than the
    others'. An entry stays `stale_if_error_s` longer than its TTL, and is returned then if the load raises an error.
    Of the readers of one process that miss the same key, one loads it and the others wait up to `join_s` for it; 0
    lets all of them load. `encode` and `decode` are JSON, which keeps only values that it returns unchanged.
    """

    bounds: Bounds
    jitter: float = 0.1
    beta: float = 1.0
    local_age_s: float = 0.0
    local_entries: int = 1000
    none_ttl_s: float | None = None
    stale_if_error_s: float = 0.0
    join_s: float = 5.0
    encode: Callable[[Any], bytes] = field(default=encode_json, repr=False)
    decode: Callable[[bytes], Any] = field(default=decode_json, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must lie in [0, 1), not {self.jitter}")
        for name in ("beta", "local_age_s", "stale_if_error_s", "join_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.none_ttl_s is not None and not self.none_ttl_s > 0:
            raise ValueError(f"none_ttl_s must be above 0, not {self.none_ttl_s}; without it None is kept like a value")


class Space:
    """One namespace in this process."""

    __slots__ = (
        "flights",
        "local",
        "measure",
        "name",
        "namespace",
        "prefix",
        "reads_from",
        "told",
        "version",
        "version_until",
        "writes_from",
    )

    def __init__(self, name: str, namespace: Namespace, prefix: str, measure: NamespaceMeasure) -> None:
        self.name = name
        self.namespace = namespace
        self.prefix = prefix
        self.measure = measure
        self.local = LocalTier(namespace.local_entries) if namespace.local_age_s > 0 else None
        self.flights: Flights[Any] = Flights(Flight)
        self.version = ""
        self.version_until = self.reads_from = self.writes_from = 0.0
        self.told: set[str] = set()

    def entry_name(self, key: str) -> bytes:
        """Return the key's name in the cache; a lone surrogate, which has no form in UTF-8, gets one."""
        return f"{self.prefix}{self.version}:{key}".encode("utf-8", "surrogatepass")

    def tell(self, what: str, error: BaseException) -> None:
        """Log a problem once, because a log line for each call would cost more than the problem."""
        if what not in self.told:
            self.told.add(what)
            logger.warning("%s: %s: %s: %s", self.name, what, type(error).__name__, error)


class Core:
    """The namespaces of a cache, what is known of its server, and the TTLs in force."""

    def __init__(
        self,
        namespaces: Mapping[str, Namespace],
        wait_s: float,
        *,
        fetch: Fetch | None,
        prefix: str,
        sample_rate: float,
        version_age_s: float,
        pause_s: float,
        metrics: bool,
        clock: Callable[[], float],
    ) -> None:
        self.parameter = TtlParameter({name: space.bounds for name, space in namespaces.items()}, fetch)
        self.wait_s = wait_s
        self.gate = Gate(pause_s, trial_s=4 * wait_s)
        self.clock = clock
        self.pause_s = pause_s
        self._version_age_s = version_age_s
        self._metrics = metrics
        self._sample_rate = sample_rate
        self.spaces = {
            name: Space(name, space, f"{prefix}:{name}:", NamespaceMeasure(clock(), sample_rate))
            for name, space in namespaces.items()
        }
        for space in self.spaces.values():
            space.prefix.encode()
        _CORES.add(self)

    def space(self, namespace: str, key: object = "") -> Space:
        """Return a namespace. Raises UnknownNamespace, and UnusableKey for a key that is no text."""
        space = self.spaces.get(namespace)
        if space is None:
            raise UnknownNamespace(namespace, self.spaces)
        if not isinstance(key, str):
            raise UnusableKey(key)
        return space

    def may_read(self, space: Space) -> bool:
        """Return True if this call may read from the cache."""
        if space.reads_from and time.monotonic() < space.reads_from:
            return False
        return not self.gate.shut_until or self.gate.lets_in()

    def may_write(self, space: Space) -> bool:
        """Return True if this call may write to the cache."""
        if space.writes_from and time.monotonic() < space.writes_from:
            return False
        return not self.gate.shut_until or self.gate.lets_in()

    def answered(self) -> None:
        """Note that the cache answered."""
        if self.gate.shut_until:
            self.gate.open()

    def failed(self, space: Space, error: Exception, *, writing: bool) -> Failure:
        """Note a failed call: an outage pauses everything, a refusal this kind of command for this namespace."""
        space.measure.failed()
        how = extent(error)
        if how is Failure.OUTAGE:
            self.gate.shut()
            return how
        if how is not Failure.HERE:
            self.answered()
        if how is Failure.REPLY:
            until = time.monotonic() + self.pause_s
            if writing:
                space.writes_from = until
            else:
                space.reads_from = until
            space.tell("the cache refuses to be written" if writing else "the cache refuses to be read", error)
        return how

    def all_refusals_over(self) -> None:
        """Note that commands which were refused may be asked again."""
        for space in self.spaces.values():
            space.reads_from = space.writes_from = 0.0

    def unpack(self, space: Space, stored: object) -> tuple[Entry | None, Any]:
        """Return the entry and its value; no entry for anything that this namespace cannot decode."""
        if not isinstance(stored, bytes):
            return None, None
        try:
            entry = Entry.unpack(stored)
            return entry, space.namespace.decode(entry.payload)
        except Exception as error:  # noqa: BLE001 - a codec of the team may raise anything, and then it is a miss
            # Another writer or another release of this application stored the value, so it is loaded again.
            space.tell("an entry cannot be read and counts as a miss", error)
            return None, None

    def decode(self, space: Space, payload: bytes | None) -> tuple[bool, Any]:
        """Return whether there is a value, and the value."""
        if payload is None:
            return False, None
        try:
            return True, space.namespace.decode(payload)
        except Exception as error:  # noqa: BLE001 - as in `unpack`
            space.tell("a value cannot be decoded", error)
            return False, None

    def encode(self, space: Space, value: Any) -> bytes | None:
        """Return the bytes of a value, None if it cannot be kept; the application has it in any case."""
        try:
            payload = space.namespace.encode(value)
            if not isinstance(payload, bytes):
                raise TypeError(f"encode must return bytes, not {type(payload).__name__}")
        except Exception as error:  # noqa: BLE001 - as in `unpack`
            space.measure.failed()
            space.tell("a value is not stored; give the namespace an `encode` and `decode` for it", error)
            return None
        return payload

    def is_early(self, space: Space, entry: Entry, now: float) -> bool:
        """Return True if this reader shall load the value although the entry is alive."""
        left_s = entry.expires_at - now
        if left_s > FAR_FROM_END * entry.compute_s * space.namespace.beta:
            return False
        return recompute_early(left_s, entry.compute_s, space.namespace.beta, 1.0 - random.random())  # noqa: S311

    def local_value(self, space: Space, key: str, now: float) -> tuple[bool, Any]:
        """Return whether the process keeps the value, and a copy of it."""
        payload = space.local.get(key, now) if space.local is not None else None
        if payload is None:
            return False, None
        found, value = self.decode(space, payload)
        if found:
            space.measure.read(key, now, hit=True, local=True)
        return found, value

    def keep_local(self, space: Space, key: str, payload: bytes, left_s: float) -> None:
        """Keep a value in the process, for as long as the namespace allows."""
        if space.local is not None:
            space.local.put(key, payload, self.clock() + min(space.namespace.local_age_s, left_s))

    def packed(self, space: Space, value: Any, payload: bytes, compute_s: float) -> tuple[bytes, int, float]:
        """Return the bytes to store, for how many milliseconds, and for how many seconds they are fresh."""
        ttl_s = self.parameter.ttls().ttl_s[space.name]
        if value is None and space.namespace.none_ttl_s is not None:
            ttl_s = min(ttl_s, space.namespace.none_ttl_s)
        life_ms = jittered_ms(ttl_s, space.namespace.jitter, random.random())  # noqa: S311
        stored = Entry(self.clock() + life_ms / 1000, compute_s, payload).pack()
        return stored, life_ms + round(space.namespace.stale_if_error_s * 1000), life_ms / 1000

    def set_version(self, space: Space, version: str) -> None:
        """Take over the version of a namespace; what this process keeps of another one goes."""
        if version != space.version:
            if space.local is not None:
                space.local = LocalTier(space.namespace.local_entries)
            space.flights.forget_all()
        space.version = version
        space.version_until = time.monotonic() + self._version_age_s

    def forget_here(self, space: Space, key: str) -> None:
        """Drop what this process keeps of a key, or is about to."""
        space.flights.forget(key)
        if space.local is not None:
            space.local.drop(key)

    def flush(self, every_s: float) -> list[str]:
        """Return lines for the log of the namespaces whose last flush was `every_s` ago."""
        now = self.clock()
        due = [space for space in self.spaces.values() if space.measure.due(now, every_s)]
        # A process with hits alone stores nothing, so without this read it would report its old version for ever.
        ttls = self.parameter.ttls() if due else self.parameter.current
        found = []
        for space in due:
            records = space.measure.flush(
                space.name, ttls.version, ttls.ttl_s[space.name], now, with_metrics=self._metrics
            )
            found += lines(records)
        return found

    def begin_in_child(self) -> None:
        """Begin anew in a forked process: its parent reports what it has measured, and has the threads."""
        self.gate.reset()
        self.parameter.begin_in_child()
        for space in self.spaces.values():
            space.measure = NamespaceMeasure(self.clock(), self._sample_rate)
            space.flights = space.flights.fresh()
            space.local = LocalTier(space.namespace.local_entries) if space.local is not None else None


_CORES: "weakref.WeakSet[Core]" = weakref.WeakSet()


def _begin_in_child() -> None:
    for core in list(_CORES):
        core.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
