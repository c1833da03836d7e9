"""Features of a day that are known before it begins: the usual week, and the latest differences from it."""

from collections.abc import Iterable
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


def days_at(logs: Reals, origins: Iterable[int]) -> list[Day]:
    """Return the days that begin at these indices, each computed only from the hours before it.

    An origin lies at least a week after the first hour."""
    usual = _usual(logs)
    surprise = logs - usual
    return [_day(logs, usual[origin : origin + DAY], surprise[origin - WEEK : origin], origin) for origin in origins]


def _day(logs: Reals, usual: Reals, surprise: Reals, origin: int) -> Day:
    day, hours, week = (_mean(surprise[-span:]) for span in (DAY, 3, WEEK))
    yesterday = logs[origin - DAY : origin]
    last_week = logs[origin - WEEK : origin - WEEK + DAY]
    every = np.ones(DAY)
    fading = hours * np.exp(-np.arange(DAY) / MEMORY_HOURS)
    columns = (surprise[-DAY:], day * every, hours * every, fading, week * every, last_week - usual, yesterday - usual)
    return Day(usual, yesterday, last_week, 0.0 if np.isnan(day) else day, np.stack(columns, axis=1))


def _usual(logs: Reals) -> Reals:
    """Return the mean of the same hour in the weeks before each hour; NaN if none is known."""
    index = np.arange(len(logs))
    weeks = np.stack([_at(logs, index - WEEK * age) for age in range(1, USUAL_WEEKS + 1)])
    known = ~np.isnan(weeks)
    return np.where(known.any(axis=0), np.nansum(weeks, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)


def _at(logs: Reals, index: Ints) -> Reals:
    return np.where(index >= 0, logs[np.maximum(index, 0)], np.nan)


def _mean(values: Reals) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
