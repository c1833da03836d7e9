"""What Application Auto Scaling's target tracking would hold of provisioned concurrency: the usual alternative to
planning, which follows the traffic instead of going before it. Pure.

Source: https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html. The high alarm takes three minutes
above the target, the low one fifteen below nine tenths of it, both on the average utilisation of a minute. In its
favour: what it asks for is there in the next minute, and it never waits between two steps.
"""

import math

import numpy as np

from optimizer.traffic import Floats

TARGET = 0.7
LOW = 0.63
_HIGH_MINUTES = 3
_LOW_MINUTES = 15


def track_utilisation(busy: Floats, most: int) -> Floats:
    """Provisioned environments in each minute, from 1 to `most`. busy: environments at work on average in each minute
    (Little's law), NaN taken as none."""
    held, high, low = 1, 0, 0
    out = np.empty(len(busy))
    for minute, at_work in enumerate(np.nan_to_num(busy).tolist()):
        out[minute] = held
        used = min(at_work / held, 1.0)
        high = high + 1 if used > TARGET else 0
        low = low + 1 if used < LOW else 0
        if high >= _HIGH_MINUTES or low >= _LOW_MINUTES:
            held = max(1, min(most, math.ceil(held * used / TARGET - 1e-9)))
    return out
