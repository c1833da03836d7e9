"""Which delivery the policy names for a cache."""

from collections.abc import Callable
from typing import Any

from optimizer.caches.publish.app_config import AppConfig
from optimizer.caches.publish.ssm import SsmParameter, TtlPublisher
from optimizer.policy import Cache


def delivery_of(cache: Cache, client: Callable[[str], Any]) -> TtlPublisher:
    """client: of an AWS service, by its name."""
    if cache.app_config is not None:
        return AppConfig(client("appconfig"), cache.app_config)
    return SsmParameter(client("ssm"), cache.parameter)
