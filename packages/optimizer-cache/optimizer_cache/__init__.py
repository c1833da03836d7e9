"""Cache-aside on Redis or Valkey, with measured and published TTLs."""

from optimizer_cache.cache import Cache, Namespace, NoTimeout, connect
from optimizer_cache.ttl_parameter import Bounds, ParameterUnavailable, UnusableParameter, from_appconfig, from_ssm

__all__ = [
    "Bounds",
    "Cache",
    "Namespace",
    "NoTimeout",
    "ParameterUnavailable",
    "UnusableParameter",
    "connect",
    "from_appconfig",
    "from_ssm",
]
