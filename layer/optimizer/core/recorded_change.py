"""A change as the application records it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimizer.core.change import Change, Status


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A recorded Change with its status.

    `progress` is the record of the acting Lambda. `times`: when each status was first reached, by its value."""

    change: Change
    status: Status
    progress: Mapping[str, Any]
    verdict: str
    rule: str
    message: str
    times: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Judged:
    """A Change that is about to be recorded with its verdict."""

    change: Change
    status: Status
    verdict: str = ""
    rule: str = ""
    message: str = ""
