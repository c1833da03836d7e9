"""What guardrails answer, and how they read the numbers of a Change."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from optimizer.core import OptimizerError


class Decision(StrEnum):
    """What becomes of a proposal."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    RECOMMENDED = "recommended"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rule that a change would break, and one sentence with the numbers."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a change; `rule` is what refused it, or `mode`."""

    change_id: str
    verdict: Decision
    rule: str
    message: str


class MissingNumber(OptimizerError, ValueError):
    """A number that a guardrail needs is not there or is none; the message names it."""


def number(part: Mapping[str, Any], name: str) -> float:
    """A finite number that is not negative; MissingNumber otherwise."""
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise MissingNumber(f"the guardrails need the number {name}, and the proposal has {value!r}")
    return float(value)


def optional_number(part: Mapping[str, Any], name: str) -> float | None:
    """The number, or None if it is not given."""
    return None if part.get(name) is None else number(part, name)
