"""A place where TTLs are published, as the policy names it for a cache."""

from collections.abc import Callable
from typing import Any, Protocol

from optimizer.caches.publish.app_config import AppConfig
from optimizer.caches.publish.document import PublishedTtls, PublishOutcome
from optimizer.caches.publish.ssm import SsmParameter
from optimizer.policy import Cache


class TtlPublisher(Protocol):
    """A place where TTLs are published."""

    def read(self) -> PublishedTtls:
        """Return the TTLs in force. Raises UnusableDocument."""

    def publish(self, text: str, after_revision: int) -> PublishOutcome:
        """Put the document in force if that revision still is. Repeating the call is harmless."""

    def roll_back(self, text: str, revision: int) -> PublishOutcome:
        """Put the TTLs in force that this revision replaced: by its place, or by publishing `text`."""

    def most_ttl_s(self) -> float:
        """Return the longest TTL that may be published this way, in seconds."""


def publisher_of(cache: Cache, client: Callable[[str], Any]) -> TtlPublisher:
    """Return the publisher of a cache; `client` returns the client of an AWS service by its name."""
    if cache.app_config is not None:
        return AppConfig(client("appconfig"), cache.app_config)
    return SsmParameter(client("ssm"), cache.parameter)
