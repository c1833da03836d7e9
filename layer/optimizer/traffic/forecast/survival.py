"""Whether a function that has been silent is still called at all."""

import numpy as np

from optimizer.traffic.forecast.demand import Reals

# Functions live for months: one in a hundred ends on any day. Of those that seem to have ended, one in five is only
# asleep and called again within a day.
ENDS_A_DAY = 0.01
RETURNS_A_DAY = 0.2


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
