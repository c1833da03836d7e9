"""Environments that traffic itself keeps warm, and the levels at which further environments are decided."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.history import DAY_MINUTES

type Reals = NDArray[np.floating[Any]]

# Up to this number each environment is a level of its own. Above, neighbours share a level to bound the work.
EXACT_LEVELS = 8
MOST_LEVELS = 20


def kept_warm(needed: Reals, keep_alive_minutes: int) -> Reals:
    """Return the environments that are still warm in each minute from the `keep_alive_minutes` minutes before it.

    Minutes before the first count as silent. The windows double, so this takes log2(keep-alive) passes.
    """
    warm = _later(needed, 1)
    width = 1
    while width < keep_alive_minutes:
        step = min(width, keep_alive_minutes - width)
        warm = np.maximum(warm, _later(warm, step))
        width += step
    return warm


def _later(values: Reals, by: int) -> Reals:
    out = np.zeros_like(values)
    out[by:] = values[: max(0, len(values) - by)]
    return out


@dataclass(frozen=True, slots=True)
class Levels:
    """Groups of environments that are decided together. A level holds the environments above `low` up to `high`."""

    low: Reals
    high: Reals

    @classmethod
    def up_to(cls, most: int) -> "Levels":
        """Return levels for `most` environments: one for each of the first, then steps that grow in proportion."""
        high = np.arange(1, min(most, EXACT_LEVELS) + 1)
        if most > EXACT_LEVELS:
            steps = np.geomspace(EXACT_LEVELS, most, MOST_LEVELS - EXACT_LEVELS + 1)[1:]
            high = np.unique(np.concatenate([high, np.ceil(steps - 1e-9)]))
        return cls(np.concatenate([[0], high[:-1]]).astype(np.float32), high.astype(np.float32))

    def cold(self, needed: Reals, warm: Reals) -> Reals:
        """Return the environments of each level (new last axis) that are needed and not warm."""
        needed_here = np.clip(needed[..., None], self.low, self.high)
        return needed_here - np.clip(np.minimum(needed, warm)[..., None], self.low, self.high)

    def unused(self, needed: Reals, warm: Reals) -> Reals:
        """Return the environments of each level (new last axis) that are neither needed nor warm.

        Holding them warm is idle time.
        """
        return self.high - np.clip(np.maximum(needed, warm)[..., None], self.low, self.high)


# Counts below this differ by chance, so the ratio of two such counts is drawn towards one.
FEW_CALLS = 20.0
# A past day that differs by more than a factor of four is no guide.
LARGEST_RATIO = float(np.log(4.0))
# Levels that differ by less than 10 % do not show how long differences last.
SMALL_DIFFERENCE = 0.1


def level_factors(invocations: Reals, window_minutes: int) -> Reals:
    """Return the factor for each past minute that brings its calls to today's level.

    A past day is the 24 hours that end a whole number of days before the end of the series. Its factor is the ratio of
    the calls in the last `window_minutes` to the calls in as many minutes before that day began. The ratio is raised
    to a power that is learned from the past days: the share of a difference that lasts. A day with too little history
    before it takes the factor of the next day.
    """
    end = len(invocations)
    days = -(-end // DAY_MINUTES)
    sums = np.concatenate([[0.0], np.cumsum(invocations)])

    def logarithm(first: int) -> float:
        return float(np.log(sums[first + window_minutes] - sums[first] + FEW_CALLS))

    begins = [begin for age in range(1, days + 1) if (begin := end - age * DAY_MINUTES) >= window_minutes]
    if not begins:
        return np.ones(end)
    before = np.array([logarithm(begin - window_minutes) for begin in begins])
    after = np.array([logarithm(begin) for begin in begins])
    ratios = logarithm(end - window_minutes) - before
    factors = np.exp(np.clip(_lasting(before, after) * ratios, -LARGEST_RATIO, LARGEST_RATIO))
    of_days = np.concatenate([factors, np.full(days - len(factors), factors[-1])])
    return np.repeat(of_days[::-1], DAY_MINUTES)[days * DAY_MINUTES - end :]


def _lasting(before: Reals, after: Reals) -> float:
    """Return the share (0 to 1) of a difference in level, in logarithms, that remains in the next window.

    It is the slope of a regression of the later on the earlier level, drawn towards 1 if the past days hardly differ.
    """
    before, after = before - before.mean(), after - after.mean()
    doubt = len(before) * SMALL_DIFFERENCE**2
    return float(np.clip((before @ after + doubt) / (before @ before + doubt), 0.0, 1.0))
