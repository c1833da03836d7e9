"""The cold starts of the hours ahead if a function is called far more often than usual."""

import numpy as np

from optimizer.traffic.forecast.demand import Levels, Reals
from optimizer.traffic.forecast.lives import Lives
from optimizer.traffic.forecast.new_level import NewLevel
from optimizer.traffic.forecast.peaks import chance_at_random

_HOUR = 60


class AtNewLevel:
    """The changes that a new level of calls makes to the hours ahead."""

    def __init__(
        self, level: NewLevel, calls_a_minute: Reals, duration_ms: float, levels: Levels, lives: Lives
    ) -> None:
        """calls_a_minute: the usual ones in each hour ahead."""
        self._chance, self._levels, self._lives, self._duration_ms = level.chance, levels, lives, duration_ms
        changed = level.after(np.arange(len(calls_a_minute)) + 0.5)
        self.factors = 1 + self._chance * (changed - 1)
        self._usual, self._usually_warm = self._at_random(calls_a_minute)
        self._changed, self._warm = self._at_random(changed * calls_a_minute)

    def cold(self, expected: Reals, happened: Reals, calls: Reals) -> Reals:
        """Return the expected cold starts of each minute with those that the new level adds, or keeps away.

        expected: [minutes ahead, levels]. happened, calls: cold starts and calls of past minutes, which tell how many
        of the cold starts there are that calls at random would cause."""
        at_random, _ = self._at_random(calls.reshape(-1, _HOUR).mean(axis=1))
        ratio = (happened.sum(axis=0) + 1) / (at_random.sum(axis=0) + 1)
        by_hour = expected.reshape(-1, _HOUR, expected.shape[1])
        total = by_hour.sum(axis=1)
        more = total + ratio * (self._changed - self._usual)
        # So many calls keep the level warm themselves.
        fewer = total * self._changed / np.maximum(self._usual, 1e-12)
        changed = np.where(self._changed > self._usual, more, fewer)
        mixed = (1 - self._chance) * total + self._chance * changed
        shares = np.where(total[:, None] > 0, by_hour / np.maximum(total, 1e-12)[:, None], 1 / _HOUR)
        return np.asarray(shares * mixed[:, None]).reshape(expected.shape)

    def warm(self, usually: Reals) -> Reals:
        """Return the probability that traffic keeps each level warm, [hours ahead, levels]."""
        return np.asarray(np.minimum(usually + self._chance * np.maximum(self._warm - self._usually_warm, 0), 1))

    def _at_random(self, calls_a_minute: Reals) -> tuple[Reals, Reals]:
        """Return the cold starts of hours with so many calls a minute at random moments, and the probability that each
        level is warm: [hours, levels]."""
        chance = chance_at_random(calls_a_minute, self._duration_ms, self._levels)
        silent = sum(share * (1 - chance) ** minutes for minutes, share in self._lives.few())
        return np.asarray(_HOUR * chance * silent * self._levels.size), np.asarray(1 - silent)
