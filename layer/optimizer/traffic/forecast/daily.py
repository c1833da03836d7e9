"""Features of a day that are known before it begins: the usual week, and the latest differences from it."""

from dataclasses import dataclass

import numpy as np

from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import Ints

DAY = 24
WEEK = 7 * DAY
USUAL_WEEKS = 4
# The time constant with which the level of the last hours fades.
MEMORY_HOURS = 6.0


@dataclass(frozen=True, slots=True)
class Day:
    """The 24 hours from an origin, in logarithms of calls; NaN if unknown."""

    # The mean of the same hour in the last four weeks.
    usual: Reals
    yesterday: Reals
    last_week: Reals
    # The mean difference of the last 24 hours from the usual ones.
    level: float
    # [24, columns] differences from the usual hours that were known at the origin.
    features: Reals


def day_at(logs: Reals, origin: int) -> Day:
    """Return the day that begins at index `origin` of an hourly series, computed only from the hours before it."""
    ahead = np.arange(origin, origin + DAY)
    usual = _usual(logs, ahead)
    behind = np.arange(origin - WEEK, origin)
    surprise = _at(logs, behind) - _usual(logs, behind)
    day, hours, week = (_mean(surprise[-span:]) for span in (DAY, 3, WEEK))
    yesterday, last_week = _at(logs, ahead - DAY), _at(logs, ahead - WEEK)
    every = np.ones(DAY)
    fading = hours * np.exp(-np.arange(DAY) / MEMORY_HOURS)
    columns = (surprise[-DAY:], day * every, hours * every, fading, week * every, last_week - usual, yesterday - usual)
    return Day(usual, yesterday, last_week, 0.0 if np.isnan(day) else day, np.stack(columns, axis=1))


def _at(logs: Reals, index: Ints) -> Reals:
    return np.where(index >= 0, logs[np.maximum(index, 0)], np.nan)


def _usual(logs: Reals, index: Ints) -> Reals:
    weeks = np.stack([_at(logs, index - WEEK * age) for age in range(1, USUAL_WEEKS + 1)])
    known = ~np.isnan(weeks)
    return np.where(known.any(axis=0), np.nansum(weeks, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)


def _mean(values: Reals) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
