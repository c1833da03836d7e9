"""Levels of environments that are decided together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Reals = NDArray[np.floating[Any]]

# Up to this number each environment is a level of its own. Above, neighbours share a level to bound the work.
EXACT_LEVELS = 8
MOST_LEVELS = 24


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

    @property
    def size(self) -> Reals:
        """The number of environments of each level."""
        return np.asarray(self.high - self.low)

    @property
    def middle(self) -> Reals:
        """The environment that stands for each level."""
        return np.asarray(np.floor((self.low + 1 + self.high) / 2))
