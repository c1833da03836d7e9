"""Cold starts on days whose traffic is a known multiple of the usual one."""

import math

import numpy as np

from optimizer.traffic.forecast.cold_starts import ColdStartForecast
from optimizer.traffic.forecast.demand import Levels, Reals


def at_levels(forecast: ColdStartForecast, factors: Reals) -> ColdStartForecast:
    """Return the forecast where each minute's traffic is so many times the usual one.

    With twice the calls, twice as many environments are needed at once, and the n-th starts as often as usually the one
    half as far up. A function that never needed two at once starts its only one more often instead."""
    if (factors == 1).all():
        return forecast
    most = float(forecast.levels.high[-1])
    if most <= 1:
        cold = forecast.cold * factors[:, None]
        return ColdStartForecast(forecast.levels, cold, forecast.warm, forecast.in_progress * factors)
    levels = Levels.up_to(math.ceil(most * max(1.0, float(factors.max())) - 1e-9))
    cold, warm = (np.zeros((len(factors), len(levels.high))) for _ in range(2))
    for factor in np.unique(factors):
        some = factors == factor
        edges = np.concatenate([[0.0], forecast.levels.high])
        total = np.concatenate([np.zeros((some.sum(), 1)), np.cumsum(forecast.cold[some], axis=1)], axis=1)
        high, low = levels.high / factor, levels.low / factor
        cold[some] = factor * (_between(edges, total, high) - _between(edges, total, low))
        usual = np.searchsorted(forecast.levels.high, levels.middle / factor - 1e-9)
        known = usual < len(forecast.levels.high)
        warm[np.ix_(some, known)] = forecast.warm[np.ix_(some, usual[known])]
    return ColdStartForecast(levels, cold, warm, forecast.in_progress * factors)


def _between(edges: Reals, total: Reals, at: Reals) -> Reals:
    """Return each row of `total`, which has a value at each edge, between the edges."""
    above = np.clip(np.searchsorted(edges, at), 1, len(edges) - 1)
    share = np.clip((at - edges[above - 1]) / (edges[above] - edges[above - 1]), 0, 1)
    return np.asarray(total[:, above - 1] * (1 - share) + total[:, above] * share)
