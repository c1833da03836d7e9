"""Environments that traffic itself keeps warm, and the levels at which further environments are decided."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
