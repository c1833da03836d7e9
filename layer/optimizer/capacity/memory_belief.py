"""What is believed of one function's curve: a mixture of Gaussian processes, one for each curve and noise level.

Each component says log duration(m) = log scale + curve(m) + smooth misfit(m) + own deviation of the size. Observing a
size updates every component in closed form (Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2.2) and
weighs it by how well it foretold the observation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.capacity.memory_curves import NOISE, Array, log_shapes

LOG_SCALE_MEAN = np.log(100.0)
LOG_SCALE_SD = 3.0  # between one millisecond and a quarter of an hour, nearly nothing is known
MISFIT_SD = 0.05
JITTER = 1e-8  # keeps a size that is measured exactly from dividing by zero when it is measured again
MISFIT_LENGTH = 0.7  # in log memory: neighbouring sizes, a factor of two apart, deviate together


@dataclass(frozen=True)
class Belief:
    """Log weights (levels, curves), means (levels, curves, sizes), covariances (levels, sizes, sizes)."""

    sizes_mb: tuple[int, ...]
    log_weights: Array
    means: Array
    covariances: Array

    @classmethod
    def prior(cls, sizes_mb: Sequence[int]) -> "Belief":
        """Before anything was measured."""
        shapes, log_prior = log_shapes(sizes_mb)
        distance = np.subtract.outer(np.log(sizes_mb), np.log(sizes_mb))
        shared = LOG_SCALE_SD**2 + MISFIT_SD**2 * np.exp(-0.5 * (distance / MISFIT_LENGTH) ** 2)
        own = np.eye(len(sizes_mb))
        return cls(
            tuple(sizes_mb),
            np.array([np.log(likely) + log_prior for _, likely in NOISE]),
            np.repeat((LOG_SCALE_MEAN + shapes)[np.newaxis], len(NOISE), axis=0),
            np.array([shared + sd**2 * own for sd, _ in NOISE]),
        )

    def observe(self, memory_mb: int, log_duration: float, variance: float) -> "Belief":
        """After a size's mean duration was measured with this error variance of its log."""
        at = self.sizes_mb.index(memory_mb)
        spread = self.covariances[:, at, at] + variance + JITTER  # (levels,)
        surprise = log_duration - self.means[:, :, at]  # (levels, curves)
        gain = self.covariances[:, :, at] / spread[:, None]  # (levels, sizes)
        log_weights = self.log_weights - 0.5 * (surprise**2 / spread[:, None] + np.log(spread)[:, None])
        return Belief(
            self.sizes_mb,
            log_weights - np.logaddexp.reduce(log_weights, axis=None),
            self.means + surprise[:, :, None] * gain[:, None, :],
            self.covariances - gain[:, :, None] * self.covariances[:, None, :, at],
        )

    @property
    def weights(self) -> Array:
        """Probability of each component, shape (levels, curves)."""
        return np.asarray(np.exp(self.log_weights - np.logaddexp.reduce(self.log_weights, axis=None)))

    @property
    def sds(self) -> Array:
        """Standard deviation of the log duration at each size, shape (levels, sizes)."""
        return np.sqrt(np.maximum(np.diagonal(self.covariances, axis1=1, axis2=2), 1e-12))

    def quantiles(self, memory_mb: int, shares: Sequence[float] | Array) -> Array:
        """Quantiles of the log duration at a size, by bisection of the mixture's distribution."""
        at = self.sizes_mb.index(memory_mb)
        means, sds = self.means[:, :, at], self.sds[:, at][:, None]
        low = np.full(len(shares), np.min(means - 6 * sds))
        high = np.full(len(shares), np.max(means + 6 * sds))
        weights = self.weights.ravel()
        for _ in range(30):
            middle = (low + high) / 2
            below = weights @ normal_cdf((middle - means[..., None]) / sds[..., None]).reshape(-1, len(shares))
            low, high = np.where(below < shares, middle, low), np.where(below < shares, high, middle)
        return np.asarray((low + high) / 2)

    def intervals(self, outside: float) -> dict[int, tuple[float, float, float]]:
        """Duration in ms at each size: the quantile `outside`, the median, the quantile 1 - `outside`."""
        result = {}
        for memory_mb in self.sizes_mb:
            low, middle, high = np.exp(self.quantiles(memory_mb, (outside, 0.5, 1.0 - outside))).tolist()
            result[memory_mb] = (low, middle, high)
        return result


_Z = np.linspace(-8.0, 8.0, 4001)
_PDF = np.exp(-0.5 * _Z**2)
_CDF = np.concatenate([[0.0], np.cumsum((_PDF[1:] + _PDF[:-1]) / 2)])
_CDF /= _CDF[-1]


def normal_cdf(z: Array) -> Array:
    """Standard normal distribution function, from a table (error below 1e-6), as NumPy has none."""
    return np.asarray(np.interp(z, _Z, _CDF))
