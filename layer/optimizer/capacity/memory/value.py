"""The value of a memory size under a goal: the price of a call, and for `balanced` its duration as well. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.capacity.memory.curves import Array
from optimizer.prices import REQUEST_USD, billed_ms, rates

USD_PER_REQUEST = float(REQUEST_USD)


def usd_per_gb_s(architecture: str) -> float:
    """Return the first-tier rate; raise UnknownArchitecture. Tiers and discounts scale every size alike."""
    return float(rates(architecture).tiers[0].gb_second_usd)


@dataclass(frozen=True, slots=True)
class Objective:
    """The goal as a number to make small: price of a call times its duration to the power `duration_power`.

    limit_ms: a longer mean duration is not allowed; None for no limit.
    """

    usd_per_gb_s: float
    duration_power: int
    limit_ms: float | None = None

    def value(self, memory_mb: int, duration_ms: float) -> float:
        """Return the value at a measured mean duration."""
        return self._price(memory_mb, billed_ms(duration_ms)) * duration_ms**self.duration_power

    def allows(self, duration_ms: float) -> bool:
        """Return True for a mean duration within the limit."""
        return self.limit_ms is None or duration_ms <= self.limit_ms

    def _price(self, memory_mb: int, milliseconds: int) -> float:
        return milliseconds / 1000 * memory_mb / 1024 * self.usd_per_gb_s + USD_PER_REQUEST

    def values(self, sizes_mb: Sequence[int], durations_ms: Array) -> Array:
        """Return the values at possible mean durations, (curves, sizes); infinite above the limit.

        Single calls vary, so that rounding each up to a millisecond adds half of one on average.
        """
        gb = np.asarray(sizes_mb) / 1024
        price = (durations_ms + 0.5) / 1000 * gb * self.usd_per_gb_s + USD_PER_REQUEST
        values = price * durations_ms**self.duration_power
        return np.asarray(values if self.limit_ms is None else np.where(durations_ms <= self.limit_ms, values, np.inf))
