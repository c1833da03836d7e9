"""The belief about one function's curve: a mixture of Gaussian processes, one for each curve and noise level.

Each component says log duration(m) = log scale + curve(m) + smooth misfit(m) + own deviation of the size. The misfit is
of the CPU work alone, so that it counts as far as the function computes: one that only waits has nothing to stray with.
Observing a size updates every component in closed form (Rasmussen & Williams, "Gaussian Processes for Machine
Learning", 2.2) and weighs it by how well it predicted the observation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.capacity.memory.curves import NOISE, Array, curve_family

LOG_SCALE_MEAN = np.log(100.0)
LOG_SCALE_SD = 3.0  # Nearly nothing is known before: one millisecond and a quarter of an hour are both likely.
# How far the CPU work of a real function strays from the family, smoothly: sizes a factor of two apart stray together.
MISFIT_SD = 0.1
MISFIT_LENGTH = 0.7  # in log memory
UNLIKELY = 1e-3
# Without it, a size that was measured exactly would divide by zero when it is measured again.
JITTER = 1e-7


@dataclass(frozen=True)
class Belief:
    """A mixture of components, one for each noise level and curve.

    log_weights: (levels, curves). means: of log ms, (levels, curves, sizes). covariances: (levels, curves, sizes,
    sizes).
    """

    sizes_mb: tuple[int, ...]
    log_weights: Array
    means: Array
    covariances: Array

    @classmethod
    def prior(cls, sizes_mb: Sequence[int]) -> "Belief":
        """Return the belief before anything was measured."""
        family = curve_family(sizes_mb)
        distance = np.subtract.outer(np.log(sizes_mb), np.log(sizes_mb))
        smooth = MISFIT_SD**2 * np.exp(-0.5 * (distance / MISFIT_LENGTH) ** 2)
        shared = LOG_SCALE_SD**2 + family.computing[:, :, None] * family.computing[:, None, :] * smooth
        own = np.eye(len(sizes_mb))
        return cls(
            tuple(sizes_mb),
            np.array([np.log(likely) + family.log_weights for _, likely in NOISE]),
            np.repeat((LOG_SCALE_MEAN + family.log_durations)[np.newaxis], len(NOISE), axis=0),
            np.array([shared + sd**2 * own for sd, _ in NOISE]),
        )

    def observe(self, memory_mb: int, log_duration: float, variance: float) -> "Belief":
        """Return the belief after a size's mean duration was measured. variance: error variance of its log."""
        at = self.sizes_mb.index(memory_mb)
        spread = self.covariances[:, :, at, at] + variance + JITTER  # (levels, curves)
        surprise = log_duration - self.means[:, :, at]
        gain = self.covariances[:, :, :, at] / spread[:, :, None]
        return Belief(
            self.sizes_mb,
            self.log_weights - 0.5 * (surprise**2 / spread + np.log(spread)),
            self.means + surprise[:, :, None] * gain,
            self.covariances - gain[:, :, :, None] * self.covariances[:, :, None, :, at],
        )._without_the_unlikely()

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
            self.covariances[levels][:, curves],
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
        used, component = np.unique(at, return_inverse=True)
        level, curve = np.unravel_index(used, self.weights.shape)
        roots = np.linalg.cholesky(self.covariances[level, curve] + JITTER * np.eye(len(self.sizes_mb)))
        deviations = np.einsum("nij,nj->ni", roots[component], rng.standard_normal((curves, len(self.sizes_mb))))
        return np.asarray(np.exp(self.means[level, curve][component] + deviations))
