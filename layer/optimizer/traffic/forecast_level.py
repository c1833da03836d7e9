"""How busy each past day was when it began, beside today."""

import numpy as np

from optimizer.traffic.forecast_demand import Reals
from optimizer.traffic.history import DAY_MINUTES

# Counts below this differ by chance: the ratio of two of them is drawn towards one.
FEW_CALLS = 20.0
LARGEST_FACTOR = 4.0


def level_factors(invocations: Reals, window_minutes: int) -> Reals:
    """What each past minute's calls are multiplied by to be at today's level.

    A past day is the 24 hours that end a whole number of days before the end of the series. Its factor compares the
    calls of the last `window_minutes` with those of as many minutes before that day began: what was known of its
    level then as that of today is known now. A day with too little before it takes the factor of the day after.
    """
    end = len(invocations)
    days = -(-end // DAY_MINUTES)
    sums = np.concatenate([[0.0], np.cumsum(invocations)])
    lately = sums[end] - sums[max(0, end - window_minutes)]
    factors = np.ones(days)
    for age in range(days):
        begin = end - (age + 1) * DAY_MINUTES
        if begin < window_minutes:
            factors[age:] = factors[age - 1] if age else 1.0
            break
        then = sums[begin] - sums[begin - window_minutes]
        factors[age] = (lately + FEW_CALLS) / (then + FEW_CALLS)
    clipped = np.clip(factors, 1 / LARGEST_FACTOR, LARGEST_FACTOR)
    return np.repeat(clipped[::-1], DAY_MINUTES)[days * DAY_MINUTES - end :]
