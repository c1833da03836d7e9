"""The facts about a function on which it is assessed: from the bulk lists, and from a look at it in detail. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from optimizer.capacity import LiveFunction, Version
from optimizer.function_logs import FunctionHistory
from optimizer.prices import LambdaPrices, aws_lambda
from optimizer.traffic import History

# Calls and durations of so many days make up the bill.
OVERVIEW_DAYS = 14
DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class ListedFunction:
    """A function as the bulk lists show it. calls_day, mean_ms: None where not known. Nothing of its variables is
    kept."""

    name: str
    arn: str
    latest: Version
    runtime: str
    log_group: str
    tags: Mapping[str, str] = field(default_factory=dict)
    calls_day: float | None = None
    mean_ms: float | None = None

    def bill_usd_month(self, prices: LambdaPrices) -> float | None:
        """Return the bill of its calls; None where they or their price are not known."""
        rates = prices.of_function(self.arn, self.latest.architecture)
        if self.calls_day is None or rates is None:
            return None
        call = aws_lambda.call_usd(rates, self.latest.memory_mb, self.mean_ms or 0.0)
        return self.calls_day * DAYS_A_MONTH * float(call)

    def tagged(self, tags: Mapping[str, str]) -> "ListedFunction":
        """Return the function with its tags."""
        return replace(self, tags=tags)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ListedFunction":
        """Read the stored form."""
        return cls(**{**document, "latest": Version(**document["latest"])})


@dataclass(frozen=True, slots=True)
class FunctionDetails:
    """Everything that was read of one function. problems: by the rule of a hindrance, why a part is not known."""

    live: LiveFunction
    history: History | None = None
    lines: FunctionHistory = field(default_factory=FunctionHistory)
    aliases: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    scanned_bytes: float = 0.0
