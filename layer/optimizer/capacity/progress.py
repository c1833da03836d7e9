"""The stored record of a change of memory or provisioned concurrency."""

from dataclasses import dataclass
from datetime import datetime

from optimizer.capacity.memory.steps import Phase
from optimizer.lifecycle import ChangeProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityProgress(ChangeProgress):
    """The progress of the change, and the write that comes next."""

    phase: Phase | None = None
    version: str | None = None
    """The version that was published with the new size."""
    abandoned: str | None = None
    """The reason that the change is not applied any further."""
    failed: bool | None = None
    """True if it is abandoned because Lambda could not do it."""
    unhealthy: str | None = None
    """The reason that the observation failed."""
    provisioning: int | None = None
    """The environments that are being set."""
    scaling: tuple[int, int] | None = None
    """The bounds of the scaling target that are being set."""
    putting: tuple[str, int] | None = None
    """The timetable and the number of the entry that is being scheduled."""
    removing: str | None = None
    """The timetable that is being removed, and since when."""
    removed_at: datetime | None = None
