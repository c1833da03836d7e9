"""Weigh ways of avoiding cold starts against each other, and against doing nothing. Pure; it knows none of the ways."""

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True, slots=True)
class Option:
    """One way with an amount of environments (0 where it has none): what it costs a month, and the share of the calls
    that are slow with it."""

    environments: int
    usd_month: float
    slow_share: float


def cheapest_amount(
    usd_month: Callable[[int], float], slow_share: Callable[[int], float], most: int, allowed: float
) -> Option | None:
    """Return the cheapest amount, from 1 to `most`, with which no more calls than allowed are slow; None without one.

    More environments never make more calls slow, and each saves at most as much as the one before: few of them are
    tried. Of equals the smaller amount wins.
    """
    if most < 1 or slow_share(most) > allowed:
        return None
    fewer, enough = 0, most
    while enough - fewer > 1:
        middle = (fewer + enough) // 2
        if slow_share(middle) > allowed:
            fewer = middle
        else:
            enough = middle
    usd = usd_month(enough)
    while enough < most and (more := usd_month(enough + 1)) < usd:
        enough, usd = enough + 1, more
    return Option(enough, usd, slow_share(enough))


def cheapest_that_keeps[Name](ways: Mapping[Name, Option | None], allowed: float) -> Name | None:
    """Return the name of the cheapest way with which no more calls than allowed are slow; None without one.

    The first of equals wins."""
    keeping = {name: way.usd_month for name, way in ways.items() if way is not None and way.slow_share <= allowed}
    return min(keeping, key=lambda name: keeping[name], default=None)
