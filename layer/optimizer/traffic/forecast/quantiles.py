"""Quantiles of a forecast's errors that keep their promise when the errors change."""

import numpy as np

from optimizer.traffic.forecast.demand import Reals

# How fast the level follows: a day that is missed altogether moves it by a twentieth.
STEP = 0.05


def adaptive_quantile(errors: Reals, quantile: float) -> float:
    """The error that is exceeded by 1 - `quantile` of what comes; `errors` is [days, hours], oldest first.

    Adaptive conformal inference (Gibbs and Candes 2021): replayed over the days, the level asked of the errors so far
    goes up after a day with more misses than promised and down after one with fewer. NaN is not known.
    """
    level = quantile
    for day in range(7, len(errors)):
        known = errors[day][~np.isnan(errors[day])]
        if len(known):
            level += STEP * (quantile - float((known <= _quantile(errors[:day], level)).mean()))
    return _quantile(errors, level)


def _quantile(errors: Reals, level: float) -> float:
    known = errors[~np.isnan(errors)]
    return float(np.quantile(known, min(max(level, 0.0), 1.0))) if len(known) else 0.0
