"""How far a function's durations move from one time to another without a change. Pure.

A direct step has no second version to compare with: its window is compared with an earlier one, and whatever moves the
level of a machine in between (neighbours, hardware, data that grow) looks like an effect of the step. The weeks before
show how large such moves are: each pair of windows of the same length and distance is a step that nobody made.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from optimizer.capacity.duration_ratios import (
    SURE,
    LogRatio,
    Minute,
    Ratio,
    Side,
    mean_ratio,
    tail_ratio,
    typical_ratio,
)

DAY_HOURS, WEEK_HOURS = 24, 168
# From one month to the next, the duration of a function moves by 2 % in the median, so by 3 % as a standard deviation
# (as in memory/model.py). Until more is known, this counts as much as three windows of the function's own past.
_USUAL_STEP, _USUAL_COUNT = 0.03, 3.0


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps without a change. square: mean of their squares, of logarithms. count: independent ones among them."""

    square: float = 0.0
    count: float = 0.0

    def widen(self, ratio: Ratio) -> LogRatio | None:
        """Return the ratio with an error that has these steps in it; None if it is not known well enough for that."""
        within = ratio.reach(SURE) / SURE
        if not math.isfinite(within):
            return None
        assumed = _USUAL_STEP**2 + within**2
        known = (_USUAL_COUNT * assumed + self.count * self.square) / (_USUAL_COUNT + self.count)
        return LogRatio(ratio.value, math.sqrt(max(known, within**2)), _USUAL_COUNT + self.count)


@dataclass(frozen=True, slots=True)
class UsualSteps:
    """Steps of the mean, the typical duration and the 95th percentile."""

    mean: Steps = field(default_factory=Steps)
    typical: Steps = field(default_factory=Steps)
    tail: Steps = field(default_factory=Steps)


def weeks_between(hours: float) -> int:
    """Return how many weeks before a window of so many hours lies the one that it is compared with."""
    return max(1, math.ceil(hours / WEEK_HOURS))


def usual_steps(past: Sequence[Minute], hours: int) -> UsualSteps:
    """Return the steps between windows of so many hours. past: hours before the change, the last one just before it."""
    apart = weeks_between(hours) * WEEK_HOURS
    # Windows at the time of day of the one to judge.
    begins = range(len(past) - math.ceil(hours / DAY_HOURS) * DAY_HOURS, apart - 1, -DAY_HOURS)
    pairs = [(Side(past[begin - apart : begin - apart + hours]), Side(past[begin : begin + hours])) for begin in begins]
    independent = max(0.0, (len(past) - apart) / max(hours, DAY_HOURS))

    def steps(of: Callable[[Side, Side], Ratio | None]) -> Steps:
        found = [ratio.value for old, new in pairs if (ratio := of(old, new)) is not None]
        if not found:
            return Steps()
        return Steps(fmean(value * value for value in found), independent * len(found) / len(pairs))

    return UsualSteps(steps(mean_ratio), steps(typical_ratio), steps(tail_ratio))
