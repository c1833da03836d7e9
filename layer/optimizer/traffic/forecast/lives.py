"""How long an idle environment lives: a distribution, because AWS promises no time."""

from dataclasses import dataclass

import numpy as np

from optimizer.traffic.forecast.demand import Reals

# Fewer survivors than these are none.
_NONE = 0.005
# A life stands for this share of all, so that the work stays small.
_LIVES = 4


@dataclass(frozen=True, slots=True)
class Lives:
    """The lives of idle environments.

    alive: the share that is alive after 0, 1, 2, ... idle minutes. It begins with 1, never rises and ends before 0.
    """

    alive: tuple[float, ...]

    @classmethod
    def of_minutes(cls, minutes: int) -> "Lives":
        """Return lives that all end after so many minutes."""
        return cls((1.0,) * (minutes + 1))

    @classmethod
    def of(cls, alive: Reals) -> "Lives":
        """Read the shares alive after 0, 1, 2, ... minutes; the tail of few survivors is cut."""
        falling = np.minimum.accumulate(np.clip(alive, 0, 1))
        return cls((1.0, *falling[1 : max(2, int((falling > _NONE).sum()))].tolist()))

    @property
    def longest(self) -> int:
        """The idle minutes after which some environments are still alive."""
        return len(self.alive) - 1

    def minutes(self, share: float) -> int:
        """Return the minutes, at least 1, after which at least such a share is alive."""
        return max(1, int((np.array(self.alive) >= share - 1e-9).sum()) - 1)

    def few(self) -> list[tuple[int, float]]:
        """Return a few lives, in minutes, that stand for all, each with its share; shares sum to 1."""
        middle = (np.arange(_LIVES) + 0.5) / _LIVES
        ends = [self.minutes(1 - share) for share in middle]
        return [(minutes, ends.count(minutes) / _LIVES) for minutes in sorted(set(ends))]

    def found_alive(self) -> Reals:
        """Return the share found alive by calls of the minutes 0, 1, 2, ... after the minute of the last use.

        Use and call come at any second of their minutes, so the time between them lies up to a minute on either side
        of the whole minutes. After the last entry none is alive.
        """
        alive = np.array([*self.alive, 0.0, 0.0])
        found = (alive[:-1] + alive[1:]) / 2
        found[0] = 1.0
        return np.asarray(found[:-1])
