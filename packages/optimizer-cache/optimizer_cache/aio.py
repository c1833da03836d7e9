"""The asynchronous cache: the same core, on a client of redis.asyncio."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from optimizer_cache.clients import wait_of
from optimizer_cache.core import CACHE_FAILED, Core, Namespace, Space
from optimizer_cache.decorator import Cached, KeyOf, decorator
from optimizer_cache.early import Entry
from optimizer_cache.flights import Flight, Flights
from optimizer_cache.ttl_parameter import Fetch, TtlParameter

FAILED = object()


def _task() -> int:
    return id(asyncio.current_task())


class TaskFlight(Flight):
    """A load that other tasks of the same loop wait for."""

    __slots__ = ("_future",)

    def __init__(self, owner: int) -> None:
        super().__init__(owner)
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def land(self, payload: bytes | None) -> None:
        """Hand the encoded value over, None if there is none."""
        super().land(payload)
        if not self._future.done():
            self._future.set_result(None)

    async def join(self, most_s: float) -> bytes | None:
        """Return the encoded value, or None if there is none or it takes longer."""
        await asyncio.wait([self._future], timeout=most_s)
        return self.payload if self._future.done() else None


class AsyncCache:
    """`Cache` for coroutines, on one client of redis.asyncio (see `connect_async`), shared by the tasks of one loop."""

    def __init__(
        self,
        client: Any,
        namespaces: Mapping[str, Namespace],
        *,
        fetch: Fetch | None = None,
        prefix: str = "oc",
        sample_rate: float = 0.1,
        version_age_s: float = 1.0,
        pause_s: float = 1.0,
        metrics: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the same options as `Cache`. Raises UnusableClient."""
        self._client: Any = client
        self._core = Core(
            namespaces,
            wait_of(client, is_async=True),
            fetch=fetch,
            prefix=prefix,
            sample_rate=sample_rate,
            version_age_s=version_age_s,
            pause_s=pause_s,
            metrics=metrics,
            clock=clock,
        )
        for space in self._core.spaces.values():
            space.flights = Flights(TaskFlight, _task)

    @property
    def parameter(self) -> TtlParameter:
        """The TTLs in force, and how they are read."""
        return self._core.parameter

    @parameter.setter
    def parameter(self, parameter: TtlParameter) -> None:
        self._core.parameter = parameter

    async def read[V](self, namespace: str, key: str, load: Callable[[], Awaitable[V]]) -> V:
        """Return the value from the process, the cache, or `load`, and store a loaded value.

        An exception of `load` reaches the caller, unless there is an entry that can be returned instead. Raises
        UnknownNamespace and UnusableKey.
        """
        # A hit takes a few microseconds here, so this path looks before it calls.
        core = self._core
        space = core.spaces.get(namespace)
        if space is None or type(key) is not str:
            space = core.space(namespace, key)
        now = core.clock()
        if space.local is not None:
            found, kept = core.local_value(space, key, now)
            if found:
                return cast("V", kept)
        asked = time.perf_counter()
        name = await self._name(space, key)
        entry, value = None, None
        if name is not None and time.perf_counter() - asked <= 2 * core.wait_s:
            entry, value = await self._look_up(space, name)
        else:
            name = None
        hit = entry is not None and (not space.namespace.stale_if_error_s or entry.expires_at > now)
        space.measure.read(key, now, hit=hit)
        if hit and entry is not None and not core.is_early(space, entry, now):
            if space.local is not None:
                core.keep_local(space, key, entry.payload, entry.expires_at - now)
            return cast("V", value)
        if time.perf_counter() - asked > 2 * core.wait_s:
            # The cache answers, but slowly: this call has waited long enough.
            name = None
        return await self._join_or_load(space, key, name, load, (entry, value, hit))

    async def write[V](self, namespace: str, key: str, value: V, store: Callable[[V], Awaitable[Any]]) -> None:
        """Store at the origin with `store`, then in the cache.

        An exception of `store` reaches the caller and leaves the cache untouched.
        """
        core = self._core
        space = core.space(namespace, key)
        started = time.perf_counter()
        await store(value)
        core.forget_here(space, key)
        compute_s = time.perf_counter() - started
        name = await self._name(space, key)
        payload = core.encode(space, value)
        if payload is not None:
            await self._store(space, key, name, value, payload, compute_s)
        elif name is not None:
            await self._try(space, lambda: self._client.delete(name), writing=True)

    async def forget(self, namespace: str, key: str) -> bool:
        """Drop one value. Return False if the cache could not be told; the value then stays until its TTL ends."""
        space = self._core.space(namespace, key)
        self._core.forget_here(space, key)
        name = await self._name(space, key, force=True)
        return (
            name is not None
            and await self._try(space, lambda: self._client.delete(name), writing=True, force=True) is not FAILED
        )

    async def forget_all(self, namespace: str) -> bool:
        """Give the namespace a new version, so that nothing stored before is read again.

        Return False if the cache could not be told.
        """
        space = self._core.space(namespace)
        version = secrets.token_hex(6)
        set_version = await self._try(
            space, lambda: self._client.set(space.prefix + "version", version), writing=True, force=True
        )
        if set_version is FAILED:
            return False
        self._core.set_version(space, version)
        return True

    def cached[**P, V](
        self, namespace: str, key: KeyOf | None = None
    ) -> Callable[[Callable[P, Awaitable[V]]], "Cached[P, Awaitable[V]]"]:
        """Decorate a coroutine function so that its results are read through the cache, as `Cache.cached` does."""
        self._core.space(namespace)
        read: Callable[[str, str, Callable[[], Awaitable[V]]], Awaitable[V]] = self.read
        return decorator(read, self.forget, namespace, key)

    def flush(self, every_s: float = 60.0) -> list[str]:
        """Return lines for the log, as `Cache.flush` does."""
        return self._core.flush(every_s)

    async def _look_up(self, space: Space, name: bytes) -> tuple[Entry | None, Any]:
        # This is the hot path, so it does the work of `_try` without a closure.
        core = self._core
        if (core.gate.shut_until or space.reads_from) and not core.may_read(space):
            return None, None
        try:
            stored = await self._client.get(name)
        except CACHE_FAILED as error:
            self._core.failed(space, error, writing=False)
            return None, None
        if core.gate.shut_until:
            core.gate.open()
        return core.unpack(space, stored)

    async def _join_or_load[V](
        self,
        space: Space,
        key: str,
        name: bytes | None,
        load: Callable[[], Awaitable[V]],
        held: tuple[Entry | None, Any, bool],
    ) -> V:
        """Load a value, unless another task loads it already."""
        _, value, hit = held
        flight, is_mine = space.flights.board(key) if space.namespace.join_s or hit else (None, False)
        if flight is not None and not is_mine:
            if hit:
                # Another reader loads the value early, and one is enough.
                return cast("V", value)
            found, joined = self._core.decode(space, await flight.join(space.namespace.join_s))
            if found:
                return cast("V", joined)
            flight = None
        return await self._load(space, key, name, load, held, flight)

    async def _load[V](
        self,
        space: Space,
        key: str,
        name: bytes | None,
        load: Callable[[], Awaitable[V]],
        held: tuple[Entry | None, Any, bool],
        flight: TaskFlight | None,
    ) -> V:
        """Load a value, store it and hand it to those who wait for it; or return the entry in hand."""
        entry, value, hit = held
        try:
            started = time.perf_counter()
            try:
                loaded = await load()
            except Exception as error:
                if entry is None:
                    found, rescued = await self._rescue(space, key)
                    if not found:
                        raise
                    return cast("V", rescued)
                space.measure.stale(hit=hit)
                space.tell("the load failed and the entry is returned", error)
                return cast(V, value)
            compute_s = time.perf_counter() - started
            payload = self._core.encode(space, loaded)
            space.measure.loaded(key, compute_s, payload, early=hit)
            if payload is not None and (flight is None or space.flights.is_current(key, flight)):
                if flight is not None:
                    flight.land(payload)
                # The name is from before the load, so that a value that `forget_all` overtook does not enter the new
                # version.
                await self._store(space, key, name, loaded, payload, compute_s)
            return loaded
        finally:
            if flight is not None:
                space.flights.end(key, flight)

    async def _rescue(self, space: Space, key: str) -> tuple[bool, Any]:
        """Return whether the cache has the value after all, and the value: the origin failed, so a pause ends now."""
        name = await self._name(space, key, force=True)
        if name is None:
            return False, None
        entry, value = self._core.unpack(space, await self._try(space, lambda: self._client.get(name), force=True))
        if entry is not None:
            space.measure.stale(hit=False)
        return entry is not None, value

    async def _store(
        self, space: Space, key: str, name: bytes | None, value: Any, payload: bytes, compute_s: float
    ) -> None:
        stored, keep_ms, fresh_s = self._core.packed(space, value, payload, compute_s)
        if name is not None:
            await self._try(space, lambda: self._client.set(name, stored, px=keep_ms), writing=True)
        self._core.keep_local(space, key, payload, fresh_s)

    async def _name(self, space: Space, key: str, *, force: bool = False) -> bytes | None:
        """Return the key's name in the cache, or None if the namespace's version cannot be read."""
        if time.monotonic() >= space.version_until and not await self._read_version(space, force=force):
            return None
        return space.entry_name(key)

    async def _read_version(self, space: Space, *, force: bool) -> bool:
        """Read the version of a namespace. One that is lost (flushed, evicted) is replaced, so that no older entry
        comes back."""
        client, name = self._client, space.prefix + "version"
        found = await self._try(space, lambda: client.get(name), force=force)
        if found is None:
            if await self._try(space, lambda: client.set(name, secrets.token_hex(6), nx=True), writing=True) is FAILED:
                return False
            found = await self._try(space, lambda: client.get(name), force=force)
        if not isinstance(found, bytes):
            return False
        self._core.set_version(space, found.decode("utf-8", "replace"))
        return True

    async def _try(
        self, space: Space, call: Callable[[], Awaitable[Any]], *, writing: bool = False, force: bool = False
    ) -> Any:
        """Return the cache's answer, or FAILED.

        After an outage the cache is not asked for a while (unless forced), so that it delays one call and not every
        one.
        """
        core = self._core
        if not force and not (core.may_write(space) if writing else core.may_read(space)):
            return FAILED
        try:
            answer = await call()
        except CACHE_FAILED as error:
            self._core.failed(space, error, writing=writing)
            return FAILED
        core.answered()
        return answer
