"""The belief about one function's curve: a mixture of Gaussian processes, one for each curve and noise level.

Each component says log duration(m) = log scale + curve(m) + smooth misfit(m) + own deviation of the size. Observing a
size updates every component in closed form (Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2.2) and
weighs it by how well it predicted the observation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.capacity.memory.curves import NOISE, Array, log_shapes

LOG_SCALE_MEAN = np.log(100.0)
LOG_SCALE_SD = 3.0  # Nearly nothing is known before: one millisecond and a quarter of an hour are both likely.
# How far a real curve strays from the family, smoothly: sizes a factor of two apart stray together.
MISFIT_SD = 0.1
MISFIT_LENGTH = 0.7  # in log memory
# One measurement in twenty says little about the other sizes (a slow host, cold starts in the mean).
OUTLIERS = 0.05
OUTLIER_SD = 0.2
UNLIKELY = 1e-3
# Without it, a size that was measured exactly would divide by zero when it is measured again.
JITTER = 1e-7


@dataclass(frozen=True)
class Belief:
    """A mixture of components, one for each noise level and curve.

    log_weights: (levels, curves). means: of log ms, (levels, curves, sizes). covariances: (levels, sizes, sizes).
    """

    sizes_mb: tuple[int, ...]
    log_weights: Array
    means: Array
    covariances: Array

    @classmethod
    def prior(cls, sizes_mb: Sequence[int]) -> "Belief":
        """Return the belief before anything was measured."""
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
        """Return the belief after a size's mean duration was measured. variance: error variance of its log.

        The measurement is an ordinary one or an outlier, so that each level of noise becomes two.
        """
        ordinary = self._observe(memory_mb, log_duration, variance, 1.0 - OUTLIERS)
        outlier = self._observe(memory_mb, log_duration, variance + OUTLIER_SD**2, OUTLIERS)
        return Belief(
            self.sizes_mb,
            np.concatenate([ordinary.log_weights, outlier.log_weights]),
            np.concatenate([ordinary.means, outlier.means]),
            np.concatenate([ordinary.covariances, outlier.covariances]),
        )._without_the_unlikely()

    def _observe(self, memory_mb: int, log_duration: float, variance: float, prior: float) -> "Belief":
        at = self.sizes_mb.index(memory_mb)
        spread = self.covariances[:, at, at] + variance + JITTER  # (levels,)
        surprise = log_duration - self.means[:, :, at]  # (levels, curves)
        gain = self.covariances[:, :, at] / spread[:, None]  # (levels, sizes)
        return Belief(
            self.sizes_mb,
            self.log_weights - 0.5 * (surprise**2 / spread[:, None] + np.log(spread)[:, None]) + np.log(prior),
            self.means + surprise[:, :, None] * gain[:, None, :],
            self.covariances - gain[:, :, None] * self.covariances[:, None, :, at],
        )

    def _without_the_unlikely(self) -> "Belief":
        """Drop levels and curves that hold next to none of the probability: they cost time and change nothing."""
        weights = self.weights
        levels = weights.sum(axis=1) > UNLIKELY
        curves = weights.sum(axis=0) > UNLIKELY / weights.shape[1]
        kept = self.log_weights[levels][:, curves]
        return Belief(
            self.sizes_mb,
            kept - np.logaddexp.reduce(kept, axis=None),
            self.means[levels][:, curves],
            self.covariances[levels],
        )

    @property
    def weights(self) -> Array:
        """Probability of each component, (levels, curves)."""
        return np.asarray(np.exp(self.log_weights - np.logaddexp.reduce(self.log_weights, axis=None)))

    def sample(self, curves: int) -> Array:
        """Return durations in ms on equally likely curves, (curves, sizes); the same belief gives the same curves."""
        rng = np.random.default_rng(curves)
        shares = np.cumsum(self.weights.ravel())
        at = np.searchsorted(shares, (np.arange(curves) + 0.5) / curves * shares[-1])
        level, curve = np.unravel_index(at, self.weights.shape)
        roots = np.linalg.cholesky(self.covariances + JITTER * np.eye(len(self.sizes_mb)))
        deviations = np.einsum("nij,nj->ni", roots[level], rng.standard_normal((curves, len(self.sizes_mb))))
        return np.asarray(np.exp(self.means[level, curve] + deviations))
