"""What the last time says of the next: functions called every so many minutes, whatever the time of day.

A forecast by the time of day knows nothing of a schedule of 95 minutes, nor of a batch that comes about two hours after
the one before. So the last cold start of each level is looked at, and the past times that were as long after one: how
much more, or less, came after them than the time of day had said is expected now too.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import DAY_MINUTES
from optimizer.traffic.local_time import Ints

# Later than this the last time tells little, and a plan is made again before.
LEAD_MINUTES = 360
# Schedules start late by a minute or two.
EITHER_SIDE = 2
LEAST_OCCASIONS, MOST_OCCASIONS = 4, 80
LARGEST_RATIO = 8.0
# However much the counts vary, a few of them prove little.
LEAST_PRIOR = 4.0
# Functions live for months: one in a hundred ends on any day. Of those that seem to have ended, one in five is only
# asleep and called again within a day.
ENDS_A_DAY = 0.01
RETURNS_A_DAY = 0.2


def since_last_time(daily: Reals, tables: Reals, minutes: Ints, keep_alive_minutes: int) -> Reals:
    """The forecast of the minutes ahead, [minutes, 2 levels], from that of each minute of the day.

    daily: [1440, 2 levels] shares to be short, then to be unused. tables: as of `day_tables`, newest first, by local
    minute of the day. minutes: local minutes of the day, the first one follows the last that is known.
    """
    ahead = daily[minutes]
    days, levels = len(tables), daily.shape[1] // 2
    leads = min(LEAD_MINUTES, len(minutes))
    # From the oldest to the newest minute: a row is 24 hours that end where the plan begins.
    seen = np.roll(tables[::-1], -int(minutes[0]), axis=1).reshape(days * DAY_MINUTES, -1)
    known = seen[:, -1]
    usual = np.roll(daily, -int(minutes[0]), axis=0)
    for level in range(levels):
        short = np.ascontiguousarray(seen[:, level])
        starts = _as_long_after(np.flatnonzero(short >= 0.5), len(short), leads)
        if len(starts) < LEAST_OCCASIONS:
            continue
        used = known - seen[:, levels + level]
        more_short = _ratio(short, np.tile(usual[:, level], days) * known, starts, leads, 1)
        more_used = _ratio(used, np.tile(1 - usual[:, levels + level], days) * known, starts, leads, keep_alive_minutes)
        to_be_used = np.minimum((1 - ahead[:leads, levels + level]) * more_used, 1)
        ahead[:leads, level] = np.minimum(ahead[:leads, level] * more_short, to_be_used)
        ahead[:leads, levels + level] = 1 - to_be_used
    return ahead


def chance_alive(needed: Reals) -> float:
    """The chance that it will be called again as before, from [days, minutes], newest day first, NaN not known.

    Of the days from its first call to its last, some share had calls; what that share is, is a beta distribution by
    Laplace's rule. That a function so busy is silent for so many days by chance is weighed against its having ended
    on one of them, by Bayes' rule.
    """
    known = ~np.isnan(needed).all(axis=1)
    active = (np.nan_to_num(needed) > 0).any(axis=1)[known]
    if not active.any():
        return 0.0
    newest, oldest = int(np.argmax(active)), len(active) - int(np.argmax(active[::-1]))
    days, busy = oldest - newest, int(active.sum())
    silent = np.arange(newest)
    # The chance of 1, 2, ... silent days in a row: each says something of the next.
    by_chance = np.cumprod((days - busy + 1 + silent) / (days + 2 + silent))
    lived = (1 - ENDS_A_DAY) ** (silent + 1)
    if not newest:
        return 1.0
    alive = float(lived[-1] * by_chance[-1])
    before = np.concatenate([[1.0], (lived * by_chance)[:-1]])
    alive /= alive + ENDS_A_DAY * float(before.sum())
    return alive + (1 - alive) * RETURNS_A_DAY


def _as_long_after(events: Ints, now: int, leads: int) -> Ints:
    """The moments that were as long after an event, with no other since, as now is after the last; of those of which
    all that followed is known, the latest."""
    if len(events) <= LEAST_OCCASIONS:
        return events[:0]
    age = now - events[-1]
    starts = events[:-1][np.diff(events) >= age] + age
    return np.asarray(starts[starts + leads <= now][-MOST_OCCASIONS:])


def _ratio(came: Reals, expected: Reals, starts: Ints, leads: int, lasts_minutes: int) -> Reals:
    """How much more came in each minute after `starts` than was expected, drawn towards as much.

    Empirical Bayes: counts around a mean that itself varies as a gamma distribution does; its variance is what is left
    of the differences after chance, where what is counted comes in runs of `lasts_minutes`.
    """
    expected = expected * (came.sum() / max(float(expected.sum()), 1e-9))
    counts, means = (_around(sliding_window_view(values, leads)[starts].sum(axis=0)) for values in (came, expected))
    beyond_chance = float(((counts - means) ** 2).sum() - lasts_minutes * means.sum())
    if beyond_chance <= 0:
        return np.ones(leads)
    prior = max(LEAST_PRIOR, float((means**2).sum()) / beyond_chance)
    return np.asarray(np.clip((counts + prior) / (means + prior), 1 / LARGEST_RATIO, LARGEST_RATIO))


def _around(values: Reals) -> Reals:
    sums = np.concatenate([[0.0], np.cumsum(np.pad(values, EITHER_SIDE, mode="edge"))])
    width = 2 * EITHER_SIDE + 1
    return np.asarray(sums[width:] - sums[:-width])
