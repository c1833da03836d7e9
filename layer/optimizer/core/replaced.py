"""The values of a setting that kept changes have replaced."""

from dataclasses import dataclass
from datetime import datetime

from optimizer.core.change import Change


@dataclass(frozen=True, slots=True)
class Replaced:
    """The values of a setting that kept changes have replaced: set again, they are what somebody else wants.

    change: the last of these changes, kept at `at`. after: the value that it has set.
    """

    change: Change
    values: frozenset[str]
    at: datetime
    after: str

    @classmethod
    def by(cls, change: Change, before: str, after: str, at: datetime, earlier: "Replaced | None") -> "Replaced":
        """Return the values that are replaced once `change` is kept, too."""
        values = earlier.values if earlier and earlier.after == before else frozenset()
        return cls(change, (values | {before}) - {after}, at, after)
