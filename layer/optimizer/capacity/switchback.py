"""Judge a switchback: two settings of a function take turns in slots of the day. Pure.

Each slot with the new setting is compared with the mean of the slots before and after it, so that a level that lasts or
drifts cancels out. The noise is that of the slots themselves.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from optimizer.capacity.canary import CanaryComparison, CanaryHealth, Durations, LookKind, judge
from optimizer.capacity.duration_ratios import LogRatio, MedianRatio, Minute, Side, batch_spread, median_ratio

_LEAST_SLOTS = 5


@dataclass(frozen=True, slots=True)
class Slot:
    """Calls in one slot, without those that a switch started cold. new: they ran with the new setting."""

    new: bool
    calls: Minute
    errors: float = 0.0
    throttles: float = 0.0


def judge_slots(
    slots: Sequence[Slot],
    max_slowdown: float,
    looks: int,
    look: LookKind,
    *,
    break_even: float = math.inf,
    max_p95_ms: float | None = None,
) -> CanaryHealth:
    """Return healthy to go on or keep, unhealthy to go back to the old setting. slots: in order of time."""
    old, new = _side(slots, new=False), _side(slots, new=True)
    ratio = len(new.minutes) / max(1, len(old.minutes))
    comparison = CanaryComparison(old, new, max_slowdown, ratio, break_even, max_p95_ms)
    return judge(comparison, looks, look, durations_of_slots(slots))


def durations_of_slots(slots: Sequence[Slot]) -> Durations:
    """Return how the durations of the new setting compare with those of the old one."""
    typical = _turns(slots, lambda calls: calls.mean_ms if calls.median_ms is None else calls.median_ms)
    tail = _turns(slots, lambda calls: calls.p95_ms)
    return Durations(_mean(_turns(slots, lambda calls: calls.mean_ms)), _median(typical), _median(tail))


def _side(slots: Sequence[Slot], *, new: bool) -> Side:
    own = [slot for slot in slots if slot.new is new]
    return Side(
        tuple(slot.calls for slot in own), sum(slot.errors for slot in own), sum(slot.throttles for slot in own)
    )


def _turns(slots: Sequence[Slot], of: Callable[[Minute], float | None]) -> list[tuple[float, float]]:
    """Return a pair for each slot with the new setting: the old slots beside it, and itself."""
    called = [slot for slot in slots if slot.calls.calls]
    pairs = []
    for number, slot in enumerate(called):
        value = of(slot.calls)
        beside = [
            math.log(before)
            for other in called[max(0, number - 1) : number + 2]
            if not other.new and (before := of(other.calls))
        ]
        if slot.new and value and beside:
            pairs.append((math.exp(fmean(beside)), value))
    return pairs


def _median(pairs: Sequence[tuple[float, float]]) -> MedianRatio | None:
    return median_ratio([old for old, _ in pairs], [new for _, new in pairs])


def _mean(pairs: Sequence[tuple[float, float]]) -> LogRatio | None:
    if len(pairs) < _LEAST_SLOTS:
        return None
    logs = [math.log(new / old) for old, new in pairs]
    middle = fmean(logs)
    rest = [one - middle for one in logs]
    variance = sum(one * one for one in rest) / (len(rest) - 1) / len(rest)
    return LogRatio(middle, math.sqrt(variance * batch_spread(rest)), len(rest) - 1)
