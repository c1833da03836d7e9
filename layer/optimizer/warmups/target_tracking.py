"""Simulate provisioned concurrency under target tracking by Application Auto Scaling. Pure.

This is the usual alternative to planning: it follows traffic instead of preceding it. Source:
https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html. The high alarm needs three minutes above the
target, the low alarm fifteen minutes below 90 % of it, both on the average utilisation of a minute. Two assumptions
favour it: requested concurrency is ready in the next minute, and there is no pause between two steps.
"""

import math

import numpy as np

from optimizer.traffic import Floats

TARGET = 0.7
LOW = 0.63
_HIGH_MINUTES = 3
_LOW_MINUTES = 15


def track_utilisation(busy: Floats, most: int) -> Floats:
    """Return the provisioned environments in each minute, from 1 to `most`.

    busy: average busy environments in each minute (Little's law); NaN counts as none.
    """
    held, high, low = 1, 0, 0
    provisioned = np.empty(len(busy))
    for minute, at_work in enumerate(np.nan_to_num(busy).tolist()):
        provisioned[minute] = held
        used = min(at_work / held, 1.0)
        high = high + 1 if used > TARGET else 0
        low = low + 1 if used < LOW else 0
        if high >= _HIGH_MINUTES or low >= _LOW_MINUTES:
            held = max(1, min(most, math.ceil(held * used / TARGET - 1e-9)))
    return provisioned
