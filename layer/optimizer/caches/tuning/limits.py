"""What a TTL may be set to, whatever the curves say."""

import math
from dataclasses import dataclass


class SlidingTtl(ValueError):
    """A namespace whose reads prolong its entries: its TTL bounds no age, so it is never tuned."""


class NoRoom(ValueError):
    """The bounds leave no TTL."""


@dataclass(frozen=True, slots=True)
class TtlLimits:
    """Limits of one namespace's TTL. max_age_s: oldest value that may be served (freshness); eviction_age_s: age at
    which the server evicts anyway; max_step_ratio: largest factor up or down in one change, 1 allows none;
    jitter: share by which the client may lengthen a TTL, which counts towards the oldest value."""

    min_ttl_s: float
    max_ttl_s: float
    max_age_s: float = math.inf
    eviction_age_s: float = math.inf
    max_step_ratio: float = 2.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.min_ttl_s <= self.max_ttl_s:
            raise ValueError(f"bounds of a TTL are 0 < {self.min_ttl_s} <= {self.max_ttl_s}")
        if self.max_step_ratio < 1:
            raise ValueError(f"max_step_ratio is at least 1, not {self.max_step_ratio}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter lies in [0, 1), not {self.jitter}")


def allowed_range(current_ttl_s: float, limits: TtlLimits, *, sliding: bool = False) -> tuple[float, float]:
    """Smallest and largest TTL that one change may set, given the one in force.

    Freshness and the hard bounds come before the step: a TTL that passes them is brought back towards them by as
    much as a step allows, and may then stay outside. The eviction age only stops a TTL from growing.
    Raises SlidingTtl, and NoRoom when freshness leaves nothing above the smallest TTL.
    """
    if sliding:
        raise SlidingTtl(
            "reads prolong the entries, so no TTL bounds their age; set it from the write to have it tuned"
        )
    ceiling = min(limits.max_ttl_s, limits.max_age_s / (1 + limits.jitter))
    if ceiling < limits.min_ttl_s:
        raise NoRoom(
            f"the largest TTL that freshness allows, {ceiling:g} s, is below the smallest, {limits.min_ttl_s:g} s"
        )
    down, up = current_ttl_s / limits.max_step_ratio, current_ttl_s * limits.max_step_ratio
    if up < limits.min_ttl_s:
        return up, up
    if down > ceiling:
        return down, down
    low, high = max(limits.min_ttl_s, down), min(ceiling, up)
    return low, max(low, min(high, max(limits.eviction_age_s, current_ttl_s)))
