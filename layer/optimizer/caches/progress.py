"""The stored record of a change of TTLs."""

from collections.abc import Mapping
from dataclasses import dataclass

from optimizer.caches.probe.result import ServerUse
from optimizer.lifecycle import ChangeProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlProgress(ChangeProgress):
    """The TTL document that is published, and the one that was in force before it.

    A revision is the one that the document replaces, so that nothing of somebody else's is overwritten.
    """

    revision: int | None = None
    text: str | None = None
    """The document that is published."""
    server: ServerUse | None = None
    """The servers when the change was applied; None where the policy names none."""
    unhealthy: Mapping[str, str] | None = None
    """What did worse, by namespace; `""`: what concerns the whole cache."""
    seen: str | None = None
    """What the observation found."""
    back_text: str | None = None
    """The document that rolls the change back."""
    back_revision: int | None = None
