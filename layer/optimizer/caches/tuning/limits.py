"""Limit the TTLs that may be set, whatever the curves say. Pure."""

import math
from dataclasses import dataclass

from optimizer.core import OptimizerError


class SlidingTtl(OptimizerError, ValueError):
    """Reads prolong the entries of the namespace: its TTL bounds no age, so it is never tuned."""


class NoRoom(OptimizerError, ValueError):
    """The bounds leave no TTL."""


@dataclass(frozen=True, slots=True)
class TtlLimits:
    """Limits of one namespace's TTL.

    `max_age_s` is the age of the oldest value that may be served (freshness). `eviction_age_s` is the age at which the
    server evicts entries anyway. `max_step_ratio` is the largest factor up or down in one change; 1 allows none.
    `jitter` is the share by which the client may lengthen a TTL, which counts towards `max_age_s`.
    """

    min_ttl_s: float
    max_ttl_s: float
    max_age_s: float = math.inf
    eviction_age_s: float = math.inf
    max_step_ratio: float = 2.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.min_ttl_s <= self.max_ttl_s:
            raise ValueError(
                f"the bounds of a TTL must satisfy 0 < min <= max, not {self.min_ttl_s} s and {self.max_ttl_s} s"
            )
        if self.max_step_ratio < 1:
            raise ValueError(f"max_step_ratio must be at least 1, not {self.max_step_ratio}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must lie in [0, 1), not {self.jitter}")


def allowed_range(current_ttl_s: float, limits: TtlLimits, *, sliding: bool = False) -> tuple[float, float]:
    """Return the smallest and largest TTL that one change may set, given the TTL in force.

    A TTL outside its bounds or its freshness limit moves towards them by as much as one step allows, and may then still
    be outside. The eviction age only stops a TTL from growing. Raises SlidingTtl, and NoRoom when freshness leaves
    nothing above the smallest TTL.
    """
    if sliding:
        raise SlidingTtl(
            "reads prolong the entries, so no TTL bounds their age; to have it tuned, set the TTL only in writes"
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
