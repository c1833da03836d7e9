"""Advice on functions as messages and pages show it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.core import harmless


@dataclass(frozen=True, slots=True)
class AdviceLine:
    """A piece of advice as it is shown. `target`: the function's name. `prices`: behind its amounts of money."""

    target: str
    subject: str
    fact: str
    cause: str
    look_at: str
    since: str = ""
    deploy: str = ""
    prices: str = ""

    @property
    def key(self) -> str:
        """The same from run to run, until another deploy is named."""
        return "|".join((self.target, self.subject, self.deploy))

    @property
    def words(self) -> str:
        """The advice as one paragraph."""
        return " ".join(part for part in (self.fact, self.cause, self.look_at) if part)


def advice_lines(target: str, found: Iterable[Mapping[str, Any]]) -> list[AdviceLine]:
    """Return the advice that a planner stored for a function (ARN)."""
    name = harmless(target.rsplit(":function:", 1)[-1])
    return [
        AdviceLine(
            target=name,
            subject=one["subject"],
            fact=harmless(one["fact"]),
            cause=harmless(one["cause"]),
            look_at=harmless(one["look_at"]),
            since=one["since"],
            deploy=harmless(one["deploy"]),
            prices=harmless((one.get("evidence") or {}).get("prices", "")),
        )
        for one in found
    ]
