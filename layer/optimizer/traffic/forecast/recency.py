"""Correct a forecast by the time since the last call: rhythms without a time of day, and functions that have ended.

A forecast by the time of day misses a schedule of 95 minutes, or a batch that comes about two hours after the one
before. This module takes the time since the last cold start of each level and finds past moments that were as long
after a cold start. If they were followed by more or less than was expected of them, the forecast is scaled alike.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import Ints

# The last cold start tells little about later minutes, and a new plan is made before them.
LEAD_MINUTES = 360
# Schedules start a minute or two late.
EITHER_SIDE = 2
LEAST_OCCASIONS, MOST_OCCASIONS = 4, 80
LARGEST_RATIO = 60.0
# A few counts prove little, however much they vary.
LEAST_PRIOR = 4.0
DAY_HOURS = 24
# Functions live for months: 1 % end on any day. Of those that seem to have ended, 20 % are only asleep and are called
# again within a day.
ENDS_A_DAY = 0.01
RETURNS_A_DAY = 0.2


def chance_called_again(calls: Reals) -> float:
    """Return the probability (0 to 1) that a function is called again as before.

    calls: in each hour, the newest last; NaN is unknown. The share of days with calls, from the first call to the
    last, has a beta distribution by Laplace's rule. Bayes' rule weighs the probability that such a function is silent
    for so many days by chance against the probability that it ended on one of them. Days are the 24 hours that end a
    whole number of days before the last hour.
    """
    whole = len(calls) // DAY_HOURS * DAY_HOURS
    if not whole:
        return 1.0
    days_of_hours = calls[len(calls) - whole :].reshape(-1, DAY_HOURS)[::-1]
    known = ~np.isnan(days_of_hours).all(axis=1)
    active = (np.nan_to_num(days_of_hours) > 0).any(axis=1)[known]
    if not active.any():
        return 0.0
    newest, oldest = int(np.argmax(active)), len(active) - int(np.argmax(active[::-1]))
    days, busy = oldest - newest, int(active.sum())
    silent = np.arange(newest)
    # The probability of 1, 2, ... silent days in a row by chance. Each silent day makes the next one more likely.
    by_chance = np.cumprod((days - busy + 1 + silent) / (days + 2 + silent))
    lived = (1 - ENDS_A_DAY) ** (silent + 1)
    if not newest:
        return 1.0
    alive = float(lived[-1] * by_chance[-1])
    before = np.concatenate([[1.0], (lived * by_chance)[:-1]])
    alive /= alive + ENDS_A_DAY * float(before.sum())
    return alive + (1 - alive) * RETURNS_A_DAY


def since_last_time(ahead: Reals, expected: Reals, happened: Reals) -> Reals:
    """Return the forecast of the minutes ahead, [minutes, levels], corrected by the time since each level started cold.

    expected, happened: [past minutes, levels], the cold starts that were expected of the past minutes before they came,
    and those that happened. The minutes ahead follow the past ones.
    """
    corrected = ahead.copy()
    leads = min(LEAD_MINUTES, len(ahead))
    for level in range(ahead.shape[1]):
        starts = _as_long_after(np.flatnonzero(happened[:, level] >= 0.5), len(happened), leads)
        if len(starts) >= LEAST_OCCASIONS:
            corrected[:leads, level] *= _ratio(happened[:, level], expected[:, level], starts, leads)
    return corrected


def _as_long_after(events: Ints, now: int, leads: int) -> Ints:
    """Return the moments that were as long after an event, with no other event since, as `now` is after the last one.

    Only moments whose following `leads` minutes are known count, and of these the latest MOST_OCCASIONS.
    """
    if len(events) <= LEAST_OCCASIONS:
        return events[:0]
    age = now - events[-1]
    starts = events[:-1][np.diff(events) >= age] + age
    return np.asarray(starts[starts + leads <= now][-MOST_OCCASIONS:])


def _ratio(actual: Reals, expected: Reals, starts: Ints, leads: int) -> Reals:
    """Return the ratio of actual to expected counts in each minute after `starts`, drawn towards 1.

    Empirical Bayes: counts vary around a mean that itself has a gamma distribution. The variance of that mean is the
    part of the differences that chance does not explain.
    """
    counts, means = (_around(sliding_window_view(values, leads)[starts].sum(axis=0)) for values in (actual, expected))
    beyond_chance = float(((counts - means) ** 2).sum() - means.sum())
    if beyond_chance <= 0:
        return np.ones(leads)
    prior = max(LEAST_PRIOR, float((means**2).sum()) / beyond_chance)
    return np.asarray(np.clip((counts + prior) / (means + prior), 1 / LARGEST_RATIO, LARGEST_RATIO))


def _around(values: Reals) -> Reals:
    sums = np.concatenate([[0.0], np.cumsum(np.pad(values, EITHER_SIDE, mode="edge"))])
    width = 2 * EITHER_SIDE + 1
    return np.asarray(sums[width:] - sums[:-width])
