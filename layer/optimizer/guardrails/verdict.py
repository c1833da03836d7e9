"""Answers of the guardrails, and how they read the numbers of a Change."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from optimizer.core import OptimizerError

# First words of the message on a change that no rule blocks.
PASSES = "All guardrails pass"


class Decision(StrEnum):
    """The decision on a proposal: applied automatically, sent for approval, only recommended, or blocked.

    POSTPONED: nothing is wrong with it, and it is decided again by a later run. It is not recorded as a change."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    RECOMMENDED = "recommended"
    REFUSED = "refused"
    POSTPONED = "postponed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rule that blocks a change, and one sentence with the numbers. recommends: people may still make it."""

    rule: str
    message: str
    recommends: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a change; `rule` is the rule that blocks or postpones it, or `mode`."""

    change_id: str
    verdict: Decision
    rule: str
    message: str


class MissingNumber(OptimizerError, ValueError):
    """A value that a guardrail needs is missing or not a number; the message names it."""


def number(part: Mapping[str, Any], name: str) -> float:
    """Return a finite number that is not negative; raise MissingNumber otherwise."""
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise MissingNumber(f"the guardrails need the number {name}; the proposal has {value!r}")
    return float(value)


def optional_number(part: Mapping[str, Any], name: str) -> float | None:
    """Return the number, or None if it is not given."""
    return None if part.get(name) is None else number(part, name)
