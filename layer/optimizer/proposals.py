"""What a planner of functions or caches stores of its batch."""

from dataclasses import dataclass, field
from typing import Any

from optimizer.changes import NoChange


@dataclass(slots=True)
class Proposals:
    """Documents of Changes, what is left as it is and why, and the targets that could not be looked at, and why."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    no_changes: list[NoChange] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
