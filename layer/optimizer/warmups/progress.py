"""The stored record of a warm-up change."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from optimizer.lifecycle import ChangeProgress, shared_fields


class WarmupPhase(StrEnum):
    """The phase in which a plan of pings is; it is recorded before its work starts."""

    REMOVING = "removing"
    CREATING = "creating"
    WATCHING = "watching"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupProgress(ChangeProgress):
    """The progress of a warm-up change."""

    phase: WarmupPhase | None = None
    next: int | None = None
    """The number of the next schedule to create, while CREATING."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored document."""
        phase = WarmupPhase(document["phase"]) if "phase" in document else None
        return cls(**shared_fields(document), phase=phase, next=document.get("next"))
