"""Notice that a function is called far more often than its past made likely, and for how long such levels last.

The calls of the last half hours are weighed by Bayes' rule: either they are a usual day's, which differ from the mean
as much as they did in the past, or a new level began so many half hours ago. A function whose calls often rise far
above the mean makes the first likely, and is not followed; the other one is, for as long as its former deviations have
lasted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.forecast.demand import Reals

STRETCH_MINUTES = 30
_DAY = 24 * 60 // STRETCH_MINUTES
# New levels begin on one day of fifty.
_BEGINS_A_DAY = 0.02
# A new level may have begun so many half hours ago.
_AGO = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 36, _DAY])
# A new level is followed if it is likelier than none.
_LIKELY = 0.5
# Multiples of the usual calls, each as likely as the others.
_FACTORS = 2 ** np.arange(0.5, 5.1, 0.25)
# The weight of a day for the next one, of a day of the other kind, and of the mean of all hours.
_FADING, _OTHER_KIND, _ANY_HOUR = 0.87, 0.05, 0.03
# Relative variance around the mean with which the past begins, and the number of mean half hours that it counts.
_PRIOR_VARIANCE, _PRIOR_STRETCHES = 0.25, 24
# Twice the usual calls are a rise if they are so many standard deviations more.
_BEYOND_CHANCE = 5.0
# The share of a deviation that is left after half an hour, and how many half hours of deviations this counts.
_PRIOR_LASTING, _PRIOR_DEVIATIONS = 0.99, 4.0


@dataclass(frozen=True, slots=True)
class NewLevel:
    """A new level of calls that may have begun within the last day."""

    # The probability that there is one.
    chance: float = 0.0
    # Calls as a multiple of the usual ones, at least 1.
    factor: float = 1.0
    # The share of a deviation that is left after an hour.
    lasting: float = 1.0

    @property
    def is_likely(self) -> bool:
        """Ask if it is likelier than a usual day. Only then it is followed."""
        return self.chance >= _LIKELY

    def after(self, hours: Reals) -> Reals:
        """Return the multiple of the usual calls so many hours from now."""
        return np.asarray(1 + (self.factor - 1) * self.lasting**hours)


def new_level(minutes: Reals, rests: NDArray[np.bool_]) -> NewLevel:
    """Return the level that the last day shows.

    minutes: calls; NaN is unknown. rests: for each stretch of half an hour, True on days of rest; both end now.
    """
    days = min(len(minutes) // STRETCH_MINUTES, len(rests)) // _DAY
    if days < 2:
        return NewLevel()
    by_stretch = minutes[-days * _DAY * STRETCH_MINUTES :].reshape(days, _DAY, STRETCH_MINUTES)
    exposure = (~np.isnan(by_stretch)).mean(axis=2)
    calls = np.nansum(by_stretch, axis=2)
    expected = _usual(calls, exposure, rests[-days * _DAY :].reshape(days, _DAY)) * exposure
    judged = expected > 0
    variance = _relative_variance(calls[:-1][judged[:-1]], expected[:-1][judged[:-1]])
    shape = 1 / variance
    happened, usual = (
        np.cumsum(np.where(judged[-1], values[-1], 0)[::-1])[_AGO - 1, None] for values in (calls, expected)
    )
    # Negative binomial: Poisson calls around a mean that has a gamma distribution.
    odds = (happened + shape) * np.log((shape + usual) / (shape + _FACTORS * usual)) + happened * np.log(_FACTORS)
    begins = np.diff(_AGO, prepend=0)[:, None] * _BEGINS_A_DAY / _DAY / len(_FACTORS)
    odds += np.log(begins)
    most = max(0.0, float(odds.max()))
    weights = np.exp(odds - most)
    total = float(weights.sum())
    chance = total / (total + np.exp(-most))
    factor = float((weights * _FACTORS).sum()) / total
    return NewLevel(float(chance), factor, _lasting(calls, expected, judged) ** (60 / STRETCH_MINUTES))


def _usual(calls: Reals, exposure: Reals, rests: NDArray[np.bool_]) -> Reals:
    """Return the calls expected in each half hour, [days, half hours], from the days before; 0 for the first day."""
    result = np.zeros_like(calls)
    # Fading sums of calls and exposure on working days and days of rest.
    sums = np.zeros((2, 2, calls.shape[1]))
    for day in range(len(calls)):
        around = (np.roll(sums, 1, axis=2) + 2 * sums + np.roll(sums, -1, axis=2)) / 4
        own, other = (np.where(rests[day], around[kind], around[1 - kind]) for kind in (1, 0))
        total, known = own + _OTHER_KIND * other
        mean = total.sum() / max(float(known.sum()), 1e-9)
        result[day] = (total + _ANY_HOUR * mean) / (known + _ANY_HOUR) if day else 0.0
        for kind in (0, 1):
            of_kind = rests[day] == kind
            sums[kind] = _FADING * sums[kind] + np.where(of_kind, np.stack([calls[day], exposure[day]]), 0)
    return result


def _relative_variance(calls: Reals, expected: Reals) -> float:
    """Return the variance of the mean around the expected one, beyond chance, as a share of its square."""
    if not len(calls):
        return _PRIOR_VARIANCE
    prior = _PRIOR_STRETCHES * float(expected.mean()) ** 2
    beyond = max(0.0, float(((calls - expected) ** 2 - expected).sum()))
    return (beyond + prior * _PRIOR_VARIANCE) / (float((expected**2).sum()) + prior)


def _lasting(calls: Reals, expected: Reals, judged: NDArray[np.bool_]) -> float:
    """Return the share of a rise that is left in the next half hour."""
    calls, expected, judged = calls.ravel(), expected.ravel(), judged.ravel()
    over = np.where(judged, calls - expected, 0) / np.maximum(expected, 1e-9)
    least = np.maximum(expected, _BEYOND_CHANCE * np.sqrt(np.maximum(expected, 1)))
    beyond = judged & (calls - expected > least)
    first = np.flatnonzero(beyond[:-1])
    # Half hours of the newest deviation tell nothing about its end.
    weight = np.minimum(over[first], 10.0)
    left = np.clip(over[first + 1] / over[first], 0, 1)
    return float(((weight * left).sum() + _PRIOR_DEVIATIONS * _PRIOR_LASTING) / (weight.sum() + _PRIOR_DEVIATIONS))
