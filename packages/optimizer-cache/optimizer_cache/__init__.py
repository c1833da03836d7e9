"""Cache-aside on Redis or Valkey, with measured and published TTLs."""

from optimizer_cache.aio import AsyncCache
from optimizer_cache.cache import Cache
from optimizer_cache.clients import connect, connect_async
from optimizer_cache.codec import NotKept
from optimizer_cache.core import Namespace
from optimizer_cache.errors import (
    DecodesReplies,
    NoTimeout,
    OtherKindOfClient,
    UnknownNamespace,
    UnusableClient,
    UnusableKey,
)
from optimizer_cache.ttl_parameter import Bounds, ParameterUnavailable, UnusableParameter, from_appconfig, from_ssm

__all__ = [
    "AsyncCache",
    "Bounds",
    "Cache",
    "DecodesReplies",
    "Namespace",
    "NoTimeout",
    "NotKept",
    "OtherKindOfClient",
    "ParameterUnavailable",
    "UnknownNamespace",
    "UnusableClient",
    "UnusableKey",
    "UnusableParameter",
    "connect",
    "connect_async",
    "from_appconfig",
    "from_ssm",
]
