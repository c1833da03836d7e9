"""Cache-aside and write-through by namespace. A failing cache delays an answer, and never prevents it."""

import json
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from optimizer_cache.early import Entry, jittered_ms, recompute_early
from optimizer_cache.local_tier import ABSENT, LocalTier
from optimizer_cache.measure import NamespaceMeasure, lines
from optimizer_cache.ttl_parameter import Bounds, Fetch, TtlParameter

_CACHE_FAILED = (redis.RedisError, OSError)


class NoTimeout(ValueError):
    """The client has no socket_timeout, so no call could be sure of an answer in time."""


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Namespace:
    """The way in which one kind of value is kept.

    `jitter` is the share by which TTLs are shortened at random. `beta` is the eagerness of early recomputation, 0 for
    none. A value may also be kept in the process for `local_age_s` seconds, 0 for not at all; `local_entries` limits
    the number of these.
    """

    bounds: Bounds
    jitter: float = 0.1
    beta: float = 1.0
    local_age_s: float = 0.0
    local_entries: int = 1000
    encode: Callable[[Any], bytes] = field(default=_encode, repr=False)
    decode: Callable[[bytes], Any] = field(default=json.loads, repr=False)


def connect(url: str, timeout_s: float = 0.1, **options: Any) -> redis.Redis:
    """Return a redis-py client for `Cache`, with which the cache delays a read by at most `timeout_s`.

    One wait, to connect or for a reply, gets a quarter of it. After the time of two waits a read asks the cache nothing
    more. A connection that the server closed is opened again once; a timeout is not repeated.
    """
    wait = timeout_s / 4
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    settings: dict[str, Any] = {
        "socket_timeout": wait,
        "socket_connect_timeout": wait,
        "retry": retry,
        # Naming the library and choosing the protocol would cost waits of their own on each new connection.
        "protocol": 2,
        "driver_info": None,
        **options,
    }
    return redis.Redis.from_url(url, **settings)


class _Space:
    __slots__ = ("local", "measure", "namespace", "prefix", "version", "version_until")

    def __init__(self, namespace: Namespace, prefix: str, measure: NamespaceMeasure) -> None:
        self.namespace = namespace
        self.prefix = prefix
        self.measure = measure
        self.local = LocalTier(namespace.local_entries) if namespace.local_age_s > 0 else None
        self.version = ""
        self.version_until = 0.0


class Cache:
    """Values by namespace and key on one redis-py client (see `connect`), shared by all threads of a process."""

    def __init__(
        self,
        client: "redis.Redis",
        namespaces: Mapping[str, Namespace],
        *,
        fetch: Fetch | None = None,
        prefix: str = "oc",
        sample_rate: float = 0.1,
        version_age_s: float = 1.0,
        pause_s: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`fetch` reads the published TTLs (see `from_ssm`). The client must return bytes. Raises NoTimeout."""
        wait_s = client.connection_pool.connection_kwargs.get("socket_timeout")
        if wait_s is None:
            raise NoTimeout(
                "the client has no socket_timeout: set one, or create the client with optimizer_cache.connect"
            )
        self.parameter = TtlParameter({name: space.bounds for name, space in namespaces.items()}, fetch)
        self._client = client
        self._version_age_s = version_age_s
        self._pause_s = pause_s
        self._wait_s = float(wait_s)
        self._paused_until = 0.0
        self._clock = clock
        self._spaces = {
            name: _Space(space, f"{prefix}:{name}:", NamespaceMeasure(clock(), sample_rate))
            for name, space in namespaces.items()
        }

    def read(self, namespace: str, key: str, load: Callable[[], Any]) -> Any:
        """Return the value from the process, the cache, or `load`, and store a loaded value.

        An exception of `load` reaches the caller.
        """
        space = self._spaces[namespace]
        now = self._clock()
        if space.local is not None:
            value = space.local.get(key, now)
            if value is not ABSENT:
                space.measure.read(key, now, hit=True, local=True)
                return value
        asked = time.perf_counter()
        name = self._name(space, key)
        if name is not None and time.perf_counter() - asked > 2 * self._wait_s:
            name = None
        entry, value = self._look_up(space, name)
        space.measure.read(key, now, hit=entry is not None)
        early = False
        if entry is not None:
            left_s = entry.expires_at - now
            early = recompute_early(left_s, entry.compute_s, space.namespace.beta, 1.0 - random.random())  # noqa: S311
            if not early:
                self._keep_local(space, key, value, left_s)
                return value
        started = time.perf_counter()
        if started - asked > 2 * self._wait_s:
            # The cache answers, but slowly: this call has waited long enough.
            name = None
        value = load()
        compute_s = time.perf_counter() - started
        payload = space.namespace.encode(value)
        space.measure.loaded(key, compute_s, payload, early=early)
        # The name is from before the load, so that a value that `forget_all` overtook does not enter the new version.
        self._store(namespace, space, key, name, value, payload, compute_s)
        return value

    def write(self, namespace: str, key: str, value: Any, store: Callable[[Any], None]) -> None:
        """Store at the origin with `store`, then in the cache.

        An exception of `store` reaches the caller and leaves the cache untouched.
        """
        space = self._spaces[namespace]
        started = time.perf_counter()
        store(value)
        if space.local is not None:
            space.local.drop(key)
        compute_s = time.perf_counter() - started
        name = self._name(space, key)
        self._store(namespace, space, key, name, value, space.namespace.encode(value), compute_s)

    def forget(self, namespace: str, key: str) -> bool:
        """Drop one value. Return False if the cache could not be reached; the value then stays until its TTL ends."""
        space = self._spaces[namespace]
        if space.local is not None:
            space.local.drop(key)
        name = self._name(space, key, force=True)
        return name is not None and self._try(space, lambda: self._client.delete(name), force=True) is not ABSENT

    def forget_all(self, namespace: str) -> bool:
        """Give the namespace a new version, so that nothing stored before is read again.

        Return False if the cache could not be reached.
        """
        space = self._spaces[namespace]
        version = secrets.token_hex(6)
        if self._try(space, lambda: self._client.set(space.prefix + "version", version), force=True) is ABSENT:
            return False
        self._set_version(space, version)
        return True

    def flush(self, every_s: float = 60.0) -> list[str]:
        """Return lines for the log: metrics and samples of the namespaces whose last flush was `every_s` ago.

        A busy namespace is flushed sooner, and `every_s` of 0 flushes now. Call this at the end of every invocation.
        """
        now = self._clock()
        due = [(name, space) for name, space in self._spaces.items() if space.measure.due(now, every_s)]
        # A process with hits alone stores nothing, so without this read it would report its old version for ever.
        ttls = self.parameter.ttls() if due else self.parameter.current
        found = []
        for name, space in due:
            found += lines(space.measure.flush(name, ttls.version, ttls.ttl_s[name], now))
        return found

    def _look_up(self, space: _Space, name: str | None) -> tuple[Entry | None, Any]:
        # This is the hot path, so it does the work of `_try` without a closure.
        if name is None or (self._paused_until and time.monotonic() < self._paused_until):
            return None, None
        try:
            stored = self._client.get(name)
        except _CACHE_FAILED:
            self._failed(space)
            return None, None
        if not isinstance(stored, bytes):
            return None, None
        try:
            entry = Entry.unpack(stored)
            return entry, space.namespace.decode(entry.payload)
        except ValueError:
            # Another writer or an older format of this application stored the value, so it is loaded again.
            return None, None

    def _store(
        self, namespace: str, space: _Space, key: str, name: str | None, value: Any, payload: bytes, compute_s: float
    ) -> None:
        ttl_s = self.parameter.ttls().ttl_s[namespace]
        life_ms = jittered_ms(ttl_s, space.namespace.jitter, random.random())  # noqa: S311
        if name is not None:
            stored = Entry(self._clock() + life_ms / 1000, compute_s, payload).pack()
            self._try(space, lambda: self._client.set(name, stored, px=life_ms))
        self._keep_local(space, key, value, life_ms / 1000)

    def _keep_local(self, space: _Space, key: str, value: Any, left_s: float) -> None:
        if space.local is not None:
            space.local.put(key, value, self._clock() + min(space.namespace.local_age_s, left_s))

    def _name(self, space: _Space, key: str, *, force: bool = False) -> str | None:
        """Return the key's name in the cache, or None if the namespace's version cannot be read."""
        if (
            time.monotonic() >= space.version_until
            and self._try(space, lambda: self._read_version(space), force=force) is ABSENT
        ):
            return None
        return f"{space.prefix}{space.version}:{key}"

    def _read_version(self, space: _Space) -> None:
        # A lost version (flushed, evicted) is replaced by a new one, so that no older entry comes back.
        found = self._client.get(space.prefix + "version")
        if found is None:
            self._client.set(space.prefix + "version", secrets.token_hex(6), nx=True)
            found = self._client.get(space.prefix + "version") or secrets.token_hex(6)
        self._set_version(space, found.decode() if isinstance(found, bytes) else str(found))

    def _set_version(self, space: _Space, version: str) -> None:
        if space.local is not None and version != space.version:
            space.local = LocalTier(space.namespace.local_entries)
        space.version = version
        space.version_until = time.monotonic() + self._version_age_s

    def _try(self, space: _Space, call: Callable[[], Any], *, force: bool = False) -> Any:
        """Return the cache's answer, or ABSENT if it fails.

        After a failure the cache is not asked for `pause_s` (unless forced), so that a slow cache delays one call and
        not every one.
        """
        if not force and self._paused_until and time.monotonic() < self._paused_until:
            return ABSENT
        try:
            return call()
        except _CACHE_FAILED:
            self._failed(space)
            return ABSENT

    def _failed(self, space: _Space) -> None:
        self._paused_until = time.monotonic() + self._pause_s
        space.measure.failed()
