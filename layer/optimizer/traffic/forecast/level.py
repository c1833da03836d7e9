"""How busy each past day was when it began, beside today."""

import numpy as np

from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import DAY_MINUTES

# Counts below this differ by chance: the ratio of two of them is drawn towards one.
FEW_CALLS = 20.0
# Beyond four times up or down the past is no guide.
LARGEST_RATIO = float(np.log(4.0))
# Levels that differ by less than a tenth tell nothing of how differences last.
SMALL_DIFFERENCE = 0.1


def level_factors(invocations: Reals, window_minutes: int) -> Reals:
    """What each past minute's calls are multiplied by to be at today's level.

    A past day is the 24 hours that end a whole number of days before the end of the series. Its factor compares the
    calls of the last `window_minutes` with those of as many minutes before that day began: what was known of its
    level then as that of today is known now. A day with too little before it takes the factor of the day after.
    How much of a difference lasts is learned from the past days: the ratio is raised to that power.
    """
    end = len(invocations)
    days = -(-end // DAY_MINUTES)
    sums = np.concatenate([[0.0], np.cumsum(invocations)])

    def logarithm(first: int) -> float:
        return float(np.log(sums[first + window_minutes] - sums[first] + FEW_CALLS))

    begins = [begin for age in range(1, days + 1) if (begin := end - age * DAY_MINUTES) >= window_minutes]
    if not begins:
        return np.ones(end)
    before = np.array([logarithm(begin - window_minutes) for begin in begins])
    after = np.array([logarithm(begin) for begin in begins])
    ratios = logarithm(end - window_minutes) - before
    factors = np.exp(np.clip(_lasting(before, after) * ratios, -LARGEST_RATIO, LARGEST_RATIO))
    of_days = np.concatenate([factors, np.full(days - len(factors), factors[-1])])
    return np.repeat(of_days[::-1], DAY_MINUTES)[days * DAY_MINUTES - end :]


def _lasting(before: Reals, after: Reals) -> float:
    """The share of a difference in level (logarithms) that is still there in the window after: the slope of the
    one on the other, drawn towards all of it where the past days hardly differ; from none to all."""
    before, after = before - before.mean(), after - after.mean()
    doubt = len(before) * SMALL_DIFFERENCE**2
    return float(np.clip((before @ after + doubt) / (before @ before + doubt), 0.0, 1.0))
