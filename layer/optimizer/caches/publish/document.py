"""The TTL document that applications read. Pure, and without numpy: the Lambda that applies has none."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from optimizer.core import OptimizerError


class UnusableDocument(OptimizerError, ValueError):
    """The published text is not a TTL document; the message says why."""


@dataclass(frozen=True, slots=True)
class Ttls:
    """One version of all TTLs of a cache, in seconds by namespace. Version 0 stands for nothing published."""

    version: int
    ttl_s: Mapping[str, float]

    def __eq__(self, other: object) -> bool:
        """Compare the content, whatever kind of mapping holds it."""
        return isinstance(other, Ttls) and self.version == other.version and dict(self.ttl_s) == dict(other.ttl_s)

    def __hash__(self) -> int:
        """Hash the version and the TTLs."""
        return hash((self.version, frozenset(self.ttl_s.items())))

    def to_document(self) -> dict[str, Any]:
        """Return `{"version", "ttl_s"}`."""
        return {"version": self.version, "ttl_s": dict(self.ttl_s)}


NOTHING = Ttls(0, {})


@dataclass(frozen=True, slots=True)
class PublishedTtls:
    """The TTLs in force, with their document and the revision that the place gave it (0 for none)."""

    ttls: Ttls
    revision: int
    text: str


class PublishOutcome(StrEnum):
    """The outcome for a document: it is in force, on its way, or somebody else's is in force and stays."""

    DONE = "done"
    PENDING = "pending"
    LOST = "lost"


def parse(text: str | bytes) -> Ttls:
    """Return the TTLs of a published text. Raises UnusableDocument."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UnusableDocument(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnusableDocument("it is not an object")
    return read(document)


def read(document: Mapping[str, Any]) -> Ttls:
    """Return the TTLs of `{"version", "ttl_s"}`. Raises UnusableDocument."""
    version, ttls = document.get("version"), document.get("ttl_s")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise UnusableDocument(f"version must be a whole number, not {version!r}")
    if not isinstance(ttls, Mapping):
        raise UnusableDocument("ttl_s must be an object of namespaces and seconds")
    for name, ttl_s in ttls.items():
        if not isinstance(ttl_s, (int, float)) or isinstance(ttl_s, bool) or not 0 < ttl_s < math.inf:
            raise UnusableDocument(f"ttl_s.{name} must be a number of seconds above 0, not {ttl_s!r}")
    return Ttls(version, {str(name): float(ttl_s) for name, ttl_s in ttls.items()})


def write(ttls: Ttls, previous: Ttls, change_id: str) -> str:
    """Return the document to publish, with the TTLs that it replaces and the change that publishes it."""
    document = {**ttls.to_document(), "previous": previous.to_document(), "change_id": change_id}
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
