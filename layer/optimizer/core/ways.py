"""Weigh ways of avoiding cold starts against each other, and against doing nothing. Pure; it knows none of the ways."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Way:
    """A way of avoiding cold starts, over the same time as those that it is compared with.

    usd: what the bill grows by; below 0 it saves.
    """

    usd: float
    avoided_cold_starts: float

    def gain(self, usd_per_cold_start: float) -> float:
        """Return its worth beyond its price in USD; doing nothing gains 0."""
        return usd_per_cold_start * self.avoided_cold_starts - self.usd


def best_way[Name](ways: Mapping[Name, Way], usd_per_cold_start: float) -> Name | None:
    """Return the name of the way that gains most; None if none gains anything. The first of equals wins."""
    gains = {name: way.gain(usd_per_cold_start) for name, way in ways.items()}
    best = max(gains, key=lambda name: gains[name], default=None)
    return best if best is not None and gains[best] > 0 else None
