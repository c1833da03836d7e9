"""The resources that a run checks, as its batches carry them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """A function to check. `function_arn` has no qualifier; `timezone` is an IANA name."""

    function_name: str
    function_arn: str
    alias: str
    timezone: str
    warmup_ready: bool
    tags: Mapping[str, str]


def is_asked(batch: Mapping[str, Any], *tuners: str) -> bool:
    """Return True if the run of a batch document was started for one of the tuners, or for all of them.

    A document without `tuners` stands for all."""
    return not set(tuners).isdisjoint(batch.get("tuners", tuners))
