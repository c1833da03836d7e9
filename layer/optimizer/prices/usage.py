"""The duration that an account uses in a month, which decides the tier of its next call. Pure.

AWS counts the GB-seconds of an account, a Region and an architecture together, in each calendar month (AWS Lambda
pricing, "Tiered pricing"). What other accounts of an organization use is not seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from optimizer.core import OptimizerError

USAGE_DAYS = 30
# The memory of the largest function, in GB.
LARGEST_GB = 10
STALE_AFTER = timedelta(days=35)
VERSION = 1


class MalformedUsage(OptimizerError, ValueError):
    """The stored usage is damaged; the message says where."""


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """GB-seconds a month by architecture: at most so many. read_at: when they were read."""

    gb_s_month: Mapping[str, Decimal]
    read_at: datetime

    def is_stale(self, now: datetime) -> bool:
        """Return True if it was read too long ago to be taken for today's."""
        return not self.read_at <= now <= self.read_at + STALE_AFTER

    def document(self) -> dict[str, Any]:
        """Return what is kept."""
        return {
            "version": VERSION,
            "read_at": self.read_at.isoformat(),
            "gb_s_month": {architecture: str(used) for architecture, used in sorted(self.gb_s_month.items())},
        }

    @classmethod
    def from_document(cls, document: Any) -> "AccountUsage":
        """Read the stored form; raise MalformedUsage for anything else."""
        try:
            read_at = datetime.fromisoformat(document["read_at"])
            used = {str(name): Decimal(str(amount)) for name, amount in document["gb_s_month"].items()}
            if document["version"] != VERSION or read_at.tzinfo is None:
                raise MalformedUsage(f"the stored usage of {read_at} has no known version or time zone")
            if not all(amount.is_finite() and amount >= 0 for amount in used.values()):
                raise MalformedUsage(f"the stored usage of {read_at} is no amount")
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            if isinstance(error, MalformedUsage):
                raise
            raise MalformedUsage(f"the stored usage is damaged: {error!r}") from error
        return cls(used, read_at)


def usage_at_most(duration_s: float, now: datetime) -> AccountUsage:
    """Return the usage if every call of the account had the most memory. duration_s: of all its calls in USAGE_DAYS."""
    most = Decimal(str(duration_s)) * LARGEST_GB
    return AccountUsage({"x86_64": most, "arm64": most}, now)


def usage_of_functions(functions: Iterable[tuple[str, int, float]], now: datetime) -> AccountUsage:
    """Return the sum over functions: of each its architecture, its memory in MB and the duration of its calls in s."""
    found: dict[str, Decimal] = {}
    for architecture, memory_mb, duration_s in functions:
        used = Decimal(memory_mb) / 1024 * Decimal(str(duration_s))
        found[architecture] = found.get(architecture, Decimal(0)) + used
    return AccountUsage(found, now)
