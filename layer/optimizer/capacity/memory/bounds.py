"""Limits of a memory change, the outcome of trying a size within them, and the bill at a size. Pure."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.memory import model as memory_model
from optimizer.capacity.provisioned import DAYS_A_MONTH, held, usd_month
from optimizer.core import Interval
from optimizer.function_logs import CodeHistory, SizeHistory
from optimizer.policy import Memory
from optimizer.prices import aws_lambda

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


# The model's goal, and whether the largest slowdown counts from the first size.
GOALS: Mapping[str, tuple[str, bool]] = {
    "cost": ("cost", False),
    "cost_guarded": ("cost", True),
    "balanced": ("balanced", False),
    "p95": ("cost", False),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Duration ratios (after / before) that a change may reach.

    slowdown: allowed by the policy. gain: up to here the change brings enough to be worth it; inf where it need not.
    """

    slowdown: float
    gain: float

    @property
    def most(self) -> float:
        """The largest ratio within both."""
        return min(self.slowdown, self.gain)


def bounds_of(facts: FunctionFacts, limits: Memory, now: SizeHistory, after_mb: int, *, safety: bool) -> Bounds:
    """Return the limits of a change to `after_mb`. safety: it is made for its memory, not for its price."""
    slowdown = limits.max_slowdown
    if GOALS.get(limits.goal, ("cost", True))[1]:
        # The slowdowns of several changes together must stay within that of one.
        first = next(size for size in facts.history.sizes.values() if size.durations.count)
        if first is not now:
            # Both means are estimates; the steps together must be likely to stay within the limit.
            step = first.durations.mean_interval().low / now.durations.mean_interval().high
            slowdown = min(slowdown, slowdown * step)
    if safety:
        return Bounds(slowdown, math.inf)
    if limits.max_p95_ms is not None:
        slowdown = min(slowdown, limits.max_p95_ms / now.durations.quantile(0.95))
    mean_ms, before_usd = now.durations.mean, bill(facts, now.memory_mb, now.durations.mean, 1.0)
    least = 1 - least_gain(facts, limits, before_usd)
    if least <= 0:
        # The whole bill is less than a change must gain.
        return Bounds(slowdown, 0.0)

    def goal(ratio: float) -> float:
        price = bill(facts, after_mb, mean_ms * ratio, ratio) / (before_usd * least)
        return price * ratio if limits.goal == "balanced" else price

    return Bounds(slowdown, break_even(goal))


def least_gain(facts: FunctionFacts, limits: Memory, before_usd: float) -> float:
    """Return the minimum gain as a share of the bill: the larger of the share and the dollars of the policy.

    before_usd: bill of a month, which is not known without the number of calls."""
    if facts.calls_day is None or before_usd <= 0:
        return limits.min_gain
    return max(limits.min_gain, limits.min_savings_usd_month / before_usd)


def outcome_of(
    decision: memory_model.MemoryDecision, now: SizeHistory, bounds: Bounds, *, canary: bool
) -> TrialOutcome | None:
    """Return the outcome of trying the size of the decision, or None where none of the likely ones is kept.

    Without a canary every call would pay for the try, so that only a size expected to be kept has an outcome.
    """
    likely = decision.predicted[decision.memory_mb]
    if not canary and likely.estimate > bounds.most * now.durations.mean:
        return None
    if not canary or bounds.gain == math.inf:
        return TrialOutcome(
            1.0, Interval(*(ms / now.durations.mean for ms in (likely.estimate, likely.low, likely.high)))
        )
    return outcome(decision.sampled_ms[decision.memory_mb] / now.durations.mean, bounds.most)


def observed_sizes(sizes: Mapping[int, SizeHistory]) -> dict[int, memory_model.SizeSeen]:
    """Return what is known of each size, in the order in which they were first run."""
    return {
        mb: memory_model.SizeSeen(size.durations.mean, size.durations.count)
        for mb, size in sizes.items()
        if size.durations.count and size.durations.mean > 0
    }


def earlier_sizes(history: CodeHistory) -> dict[int, memory_model.SizeSeen]:
    """Return what older code tells of sizes that the present code did not run at, at the level of the present code.

    Older code can only be compared at a size that both ran at; of several, the one with the most calls counts.
    """
    now, found = observed_sizes(history.sizes), dict[int, memory_model.SizeSeen]()
    for sizes in history.earlier:
        then = observed_sizes(sizes)
        shared = [mb for mb in then if mb in now]
        if not shared:
            continue
        at = max(shared, key=lambda mb: min(then[mb].invocations, now[mb].invocations))
        level = now[at].mean_duration_ms / then[at].mean_duration_ms
        for mb, seen in then.items():
            known = found.get(mb)
            if mb not in now and (known is None or known.invocations < seen.invocations):
                found[mb] = memory_model.SizeSeen(seen.mean_duration_ms * level, seen.invocations)
    return found


def with_timeouts(facts: FunctionFacts, size: SizeHistory, mean_ms: float) -> float:
    """Return the mean duration that is billed: a call that times out is billed for the whole Timeout, at any size.

    mean_ms: of the calls that succeed."""
    timeout_s = facts.live.version.timeout_s
    share = size.timeouts / size.calls if size.calls and timeout_s is not None else 0.0
    return mean_ms * (1 - share) + share * 1000 * (timeout_s or 0.0)


def bill(facts: FunctionFacts, memory_mb: int, mean_ms: float, duration_ratio: float) -> float:
    """Return the bill in USD a month; in USD a call where the number of calls is not known.

    duration_ratio: duration of a call as a multiple of that now, for the environments that are busy.
    """
    calls_month = facts.calls_day * DAYS_A_MONTH if facts.calls_day else 1.0
    size = facts.history.sizes[facts.live.version.memory_mb]
    mean_ms = with_timeouts(facts, size, mean_ms)
    rates, storage_mb = facts.known_rates, facts.live.version.storage_mb
    init = aws_lambda.call_usd(rates, memory_mb, size.inits.mean, storage_mb=storage_mb) - rates.request_usd
    init_usd = size.cold_share * float(init)
    environments = held(facts.live).environments if facts.calls_day else 0
    demand = facts.demand.scaled(duration_ratio)
    calls_usd = usd_month(demand, rates, memory_mb, mean_ms, calls_month, environments, storage_mb)
    return calls_month * init_usd + calls_usd
