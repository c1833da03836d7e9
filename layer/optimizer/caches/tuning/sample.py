"""Scale a sample of keys to the whole namespace: the busiest keys exactly, the others by hash. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.caches.tuning.replay import Accesses


@dataclass(frozen=True, slots=True)
class KeySample:
    """The part of a namespace's accesses that was kept.

    `exact_keys` were kept whatever their hash; `rate` is the share of the other keys that was kept, in (0, 1].
    `total_accesses` counts all accesses of the namespace, kept or not.
    """

    rate: float
    exact_keys: frozenset[str]
    total_accesses: int

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise ValueError(f"the rate of a sample must lie in (0, 1], not {self.rate}")
        if self.total_accesses < 0:
            raise ValueError(f"total_accesses of a sample must be at least 0, not {self.total_accesses}")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total over all keys, with the standard error of the sampling."""

    total: float
    standard_error: float


class Calibration:
    """Estimates sums over all keys from sums over the sampled ones.

    The regression estimator for Poisson sampling (Särndal, Swensson, Wretman: Model Assisted Survey Sampling, ch. 6) is
    sum(v/p) + b * (N - sum(n/p)). N is the known number of accesses of the keys outside the exact ones, n that of a
    sampled key, p the rate, and b = sum(v n) / sum(n^2) minimises the variance sum((v - b n)^2 (1 - p) / p).
    SHARDS-adj (Waldspurger et al., FAST'15) is the same with b = 1 for hits.
    """

    def __init__(self, accesses: Accesses, sample: KeySample | None) -> None:
        self.counts = accesses.counts()
        self.rate = 1.0 if sample is None else sample.rate
        exact = [sample is None or key in sample.exact_keys for key in accesses.keys]
        self.exact = np.asarray(exact, dtype=bool)
        seen = float(self.counts.sum())
        self.total_accesses = seen if sample is None else max(float(sample.total_accesses), seen)
        self._n = self.counts[~self.exact]
        self._missing = self.total_accesses - float(self.counts[self.exact].sum()) - float(self._n.sum()) / self.rate

    def total(self, values: NDArray[np.float64]) -> Estimate:
        """Return the sum over all keys of a non-negative value that is known for the sampled ones."""
        known = float(values[self.exact].sum())
        if not len(self._n):
            # Every key seen is exact, so the accesses of unseen keys are assumed to behave like those.
            scale = self.total_accesses / float(self.counts.sum())
            return Estimate(known * scale, 0.0)
        v = values[~self.exact]
        b = float(v @ self._n) / float(self._n @ self._n)
        total = known + float(v.sum()) / self.rate + b * self._missing
        variance = float(((v - b * self._n) ** 2).sum()) * (1 - self.rate) / self.rate**2
        return Estimate(max(total, known), variance**0.5)
