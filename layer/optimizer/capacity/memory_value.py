"""What a call costs under a goal, and what finding a better size is expected to save."""

import math
from dataclasses import dataclass

import numpy as np

from optimizer.capacity.memory_belief import Belief, normal_cdf
from optimizer.capacity.memory_curves import Array
from optimizer.capacity.prices import REQUEST_USD, billed_ms, rates

USD_PER_REQUEST = float(REQUEST_USD)


def usd_per_gb_s(architecture: str) -> float:
    """First-tier rate; UnknownArchitecture where there is none. Tiers and discounts scale every size alike."""
    return float(rates(architecture).tiers[0].gb_second_usd)


@dataclass(frozen=True, slots=True)
class Objective:
    """Price of a call to the power 1 times its duration to the power `duration_power`; slower than `limit_ms` is out
    of the question (None: no limit)."""

    usd_per_gb_s: float
    duration_power: int
    limit_ms: float | None = None

    def value(self, memory_mb: int, duration_ms: float) -> float:
        """Of a call whose mean duration was measured."""
        return self._price(memory_mb, billed_ms(duration_ms)) * duration_ms**self.duration_power

    def allows(self, duration_ms: float) -> bool:
        """Whether a size with this mean duration is within the limit."""
        return self.limit_ms is None or duration_ms <= self.limit_ms

    def _price(self, memory_mb: int, milliseconds: int) -> float:
        return milliseconds / 1000 * memory_mb / 1024 * self.usd_per_gb_s + USD_PER_REQUEST

    def gains(self, belief: Belief, best: Array | float) -> Array:
        """Expected gain of running each size once and keeping the better, as a share of what the better then costs:
        E[max(best / value - 1, 0)], shape of `best` + (levels, curves, sizes).

        The log of the value is taken as normal, with the slope that it has at the median duration (delta method).
        """
        medians = np.exp(belief.means)
        rate = np.asarray(belief.sizes_mb) / 1024 / 1000 * self.usd_per_gb_s
        price = rate * (medians + 0.5) + USD_PER_REQUEST  # on average, rounding up adds half a millisecond
        log_values = np.log(price) + self.duration_power * belief.means
        slopes = rate * medians / price + self.duration_power
        sds = belief.sds[:, None, :]
        spread = slopes * sds
        edge = (np.log(best) - log_values) / spread
        if self.limit_ms is not None:
            edge = np.minimum(edge, (math.log(self.limit_ms) - belief.means) / sds)
        ratio = np.exp(np.log(best) - log_values + 0.5 * spread**2)
        return np.asarray(np.maximum(ratio * normal_cdf(edge + spread) - normal_cdf(edge), 0.0))
