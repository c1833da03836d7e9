"""A change as the application recorded it, and with the verdict it is to be recorded with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimizer.core.change import Change, Status


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A Change and where it is in its life. `progress` is the acting Lambda's own record; `times` says when each
    status was first reached, by its value."""

    change: Change
    status: Status
    progress: Mapping[str, Any]
    verdict: str
    rule: str
    message: str
    times: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Judged:
    """A Change that is to be recorded with its verdict."""

    change: Change
    status: Status
    verdict: str = ""
    rule: str = ""
    message: str = ""
