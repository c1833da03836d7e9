"""The resources that a run looks at, as its batches carry them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """A function to look at. `function_arn` has no qualifier; `timezone` is an IANA name."""

    function_name: str
    function_arn: str
    alias: str
    timezone: str
    warmup_ready: bool
    tags: Mapping[str, str]


def is_asked(batch: Mapping[str, Any], *tuners: str) -> bool:
    """Whether the run of a batch document was started for one of the tuners; one that does not say is for all."""
    return not set(tuners).isdisjoint(batch.get("tuners", tuners))
