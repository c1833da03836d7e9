"""Make clients of redis-py that answer in time, and refuse those that a cache cannot use."""

import inspect
import logging
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.retry import Retry

from optimizer_cache.errors import DecodesReplies, NoTimeout, OtherKindOfClient

if TYPE_CHECKING:
    import redis.asyncio

logger = logging.getLogger(__name__)

_HAS_DRIVER_INFO = "driver_info" in inspect.signature(AbstractConnection.__init__).parameters
# Naming the library and choosing the protocol would cost waits of their own on each new connection.
_SHORT_GREETING: dict[str, Any] = {
    "protocol": 2,
    **({"driver_info": None} if _HAS_DRIVER_INFO else {"lib_name": None, "lib_version": None}),
}


def connect(url: str, timeout_s: float = 0.1, **options: Any) -> redis.Redis:
    """Return a redis-py client for `Cache`, with which the cache delays a read by at most `timeout_s`.

    One wait, to connect or for a reply, gets a quarter of it. After the time of two waits a read asks the cache nothing
    more. A connection that the server closed is opened again once; a timeout is not repeated.
    """
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.Redis.from_url(url, **{**_settings(timeout_s), "retry": retry, **options})


def connect_async(url: str, timeout_s: float = 0.1, **options: Any) -> "redis.asyncio.Redis":
    """Return a client for `AsyncCache`, with the waits of `connect`."""
    import redis.asyncio
    from redis.asyncio.retry import Retry as AsyncRetry

    retry = AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    return redis.asyncio.Redis.from_url(url, **{**_settings(timeout_s), "retry": retry, **options})


def _settings(timeout_s: float) -> dict[str, Any]:
    wait = timeout_s / 4
    return {"socket_timeout": wait, "socket_connect_timeout": wait, **_SHORT_GREETING}


def wait_of(client: Any, *, is_async: bool) -> float:
    """Return the longest wait of a client in seconds. Raises UnusableClient for one that a cache cannot use."""
    family = {cls.__module__.split(".")[0] for cls in type(client).__mro__}
    if "valkey" in family:
        raise OtherKindOfClient(
            "clients of valkey-py are not supported: use optimizer_cache.connect, which Valkey knows"
        )
    if is_async != any("asyncio" in cls.__module__.split(".") for cls in type(client).__mro__):
        wanted = (
            "AsyncCache needs a client of redis.asyncio" if is_async else "a client of redis.asyncio needs AsyncCache"
        )
        raise OtherKindOfClient(f"{wanted}: see optimizer_cache.connect_async")
    nodes = getattr(client, "nodes_manager", None)
    if nodes is not None and is_async:
        raise OtherKindOfClient("clients of a cluster are supported by Cache only")
    options = client.connection_pool.connection_kwargs if nodes is None else nodes.connection_kwargs
    if options.get("decode_responses"):
        raise DecodesReplies("the client decodes replies to text: create it without decode_responses=True")
    wait_s = options.get("socket_timeout")
    if wait_s is None:
        raise NoTimeout("the client has no socket_timeout: set one, or create the client with optimizer_cache.connect")
    retry = options.get("retry") if nodes is None else getattr(client, "retry", None)
    if getattr(retry, "_retries", 0) > 1:
        logger.warning("the client repeats failed calls, which delays answers: create it with optimizer_cache.connect")
    return float(wait_s)


def cluster_of(client: redis.Redis) -> redis.RedisCluster:
    """Return a client of the cluster that the server of this client is a node of. Asks the cluster."""
    options = dict(client.connection_pool.connection_kwargs)
    if issubclass(client.connection_pool.connection_class, redis.SSLConnection):
        options["ssl"] = True
    for name in ("retry", "db", "path", "client_name"):
        options.pop(name, None)
    # One repetition is needed to follow a slot to its node.
    return redis.RedisCluster(retry=Retry(NoBackoff(), 1), **options)
