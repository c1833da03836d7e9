"""The resources that a run checks, as its batches carry them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.core.errors import MalformedChange
from optimizer.core.tuners import Tuner


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """A function to check. `function_arn` has no qualifier; `timezone` is an IANA name."""

    function_name: str
    function_arn: str
    alias: str
    timezone: str
    warmup_ready: bool
    tags: Mapping[str, str]


def asked_tuners(batch: Mapping[str, Any]) -> frozenset[Tuner]:
    """Return the tuners that the run of a batch document was started for. A document without `tuners` stands for all.

    A planner may look at more than it was asked for; it speaks only for these."""
    return frozenset(map(Tuner, batch["tuners"])) if "tuners" in batch else frozenset(Tuner)


def is_asked(batch: Mapping[str, Any], *tuners: str) -> bool:
    """Return True if the run of a batch document was started for one of the tuners, or for all of them."""
    return not asked_tuners(batch).isdisjoint(tuners)


def function_name(target: str) -> str:
    """Return the function's name in a Lambda ARN with or without a qualifier. Raise MalformedChange for other texts."""
    match = re.fullmatch(r"arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:([\w-]+)(?::[\w$-]+)?", target)
    if match is None:
        raise MalformedChange(f"{target!r} is not the ARN of a Lambda function")
    return match.group(1)
