"""The outcome of trying a memory size: it is kept or rolled back, and only a kept size lasts. Pure.

A size that never ran is uncertain, and most sizes that would save something may also be too slow. A canary finds out
with a small share of the calls. The change is kept only where calls stay within the limits, so the outcome is that of
the curves that pass them, with their probability.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.core import Interval

# Bills rise with the duration: this many halvings of [0, 16] find the ratio at which nothing is saved.
_HALVINGS = 40
_LONGEST = 16.0


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """chance_kept: 0 to 1. ratio: duration after / before of a kept change, mean and 80 % interval."""

    chance_kept: float
    ratio: Interval


def outcome(ratios: NDArray[np.float64], limit: float) -> TrialOutcome | None:
    """Return the outcome over equally likely duration ratios, kept up to `limit`; None where none is."""
    kept = ratios[ratios <= limit]
    if not len(kept):
        return None
    mean, low, high = (float(part) for part in (kept.mean(), *np.quantile(kept, (0.1, 0.9))))
    return TrialOutcome(len(kept) / len(ratios), Interval(mean, min(low, mean), max(high, mean)))


def break_even(goal_ratio: Callable[[float], float]) -> float:
    """Return the duration ratio up to which a change brings something.

    goal_ratio: the quantity to make small, after / before; it rises with the duration ratio.
    """
    low, high = 0.0, _LONGEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if goal_ratio(middle) < 1.0 else (low, middle)
    return low


def expected(value: Interval, chance_kept: float) -> Interval:
    """Return an effect that only comes with a kept change: its mean, and the 80 % interval of kept or rolled back."""
    ends = [value.low, value.high]
    if chance_kept < 0.9:
        ends.append(0.0)
    mean = value.estimate * chance_kept
    return Interval(mean, min(mean, *ends), max(mean, *ends))
