"""What a call costs under a goal, and what finding a better size is expected to save."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.capacity.memory.curves import Array
from optimizer.prices import REQUEST_USD, billed_ms, rates

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

    def values(self, sizes_mb: Sequence[int], durations_ms: Array) -> Array:
        """Of possible mean durations, shape (curves, sizes); infinite where the limit is passed. Single calls vary, so
        that rounding each up to a millisecond adds half of one on average."""
        gb = np.asarray(sizes_mb) / 1024
        price = (durations_ms + 0.5) / 1000 * gb * self.usd_per_gb_s + USD_PER_REQUEST
        values = price * durations_ms**self.duration_power
        return np.asarray(values if self.limit_ms is None else np.where(durations_ms <= self.limit_ms, values, np.inf))
