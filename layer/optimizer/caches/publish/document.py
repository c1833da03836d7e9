"""The TTL document that applications read. Pure, and without numpy: the Lambda that acts has none."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.core import OptimizerError


class UnusableDocument(OptimizerError, ValueError):
    """What is published is no TTL document; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Ttls:
    """One version of all TTLs of a cache, seconds by namespace. Version 0: nothing is published."""

    version: int
    ttl_s: Mapping[str, float]

    def __eq__(self, other: object) -> bool:
        """By content, whatever kind of mapping holds it."""
        return isinstance(other, Ttls) and self.version == other.version and dict(self.ttl_s) == dict(other.ttl_s)

    def __hash__(self) -> int:
        """By version and TTLs."""
        return hash((self.version, frozenset(self.ttl_s.items())))

    def to_document(self) -> dict[str, Any]:
        """`{"version", "ttl_s"}`."""
        return {"version": self.version, "ttl_s": dict(self.ttl_s)}


NOTHING = Ttls(0, {})


def parse(text: str | bytes) -> Ttls:
    """The TTLs in a published document. Raises UnusableDocument."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UnusableDocument(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnusableDocument("it is not an object")
    return read(document)


def read(document: Mapping[str, Any]) -> Ttls:
    """The TTLs of `{"version", "ttl_s"}`. Raises UnusableDocument."""
    version, ttls = document.get("version"), document.get("ttl_s")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise UnusableDocument(f"version is a whole number, not {version!r}")
    if not isinstance(ttls, Mapping):
        raise UnusableDocument("ttl_s is an object of namespaces and seconds")
    for name, ttl_s in ttls.items():
        if not isinstance(ttl_s, (int, float)) or isinstance(ttl_s, bool) or not 0 < ttl_s < math.inf:
            raise UnusableDocument(f"ttl_s.{name} is a number of seconds above 0, not {ttl_s!r}")
    return Ttls(version, {str(name): float(ttl_s) for name, ttl_s in ttls.items()})


def write(ttls: Ttls, previous: Ttls, change_id: str) -> str:
    """The document to publish, with what it replaces and which change published it."""
    document = {**ttls.to_document(), "previous": previous.to_document(), "change_id": change_id}
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
