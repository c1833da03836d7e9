"""The stored record of a warm-up change."""

from dataclasses import dataclass
from enum import StrEnum

from optimizer.lifecycle import ChangeProgress


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
