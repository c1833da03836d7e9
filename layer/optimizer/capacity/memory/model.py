"""Choose the memory size that a function should run at next, from the sizes that it has run at so far.

The choice is an experiment with few tries. The belief about the function's curve (belief.py) gives curves that are all
equally likely. On each curve, every plan of one or two more tries ends with some size, at some loss against the best
size of all. The try with the smallest mean loss comes next; when no try is worth it, the best size so far stays.

A loss is the log of how many times as much the goal comes to as at the best size. The mean of the plain ratios would
be made by the few curves on which a far smaller size is several times better, and how likely those are is what the
belief knows least.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from optimizer.capacity.memory.belief import Belief
from optimizer.capacity.memory.curves import Array
from optimizer.core import Interval, OptimizerError, figure
from optimizer.prices import FREE_STORAGE_MB, Rates, billed_ms
from optimizer.prices.aws_lambda import storage_second_usd


@dataclass(frozen=True, slots=True)
class Objective:
    """The goal as a number to make small: price of a call times its duration to the power `duration_power`.

    usd_per_s: of ephemeral storage. limit_ms: a longer mean duration is not allowed; None for no limit.
    """

    usd_per_gb_s: float
    usd_per_request: float
    duration_power: int
    limit_ms: float | None = None
    usd_per_s: float = 0.0

    @classmethod
    def of(
        cls, rates: Rates, goal: str, limit_ms: float | None = None, storage_mb: int = FREE_STORAGE_MB
    ) -> "Objective":
        """Return the objective of a goal at these prices."""
        return cls(
            float(rates.gb_second_usd),
            float(rates.request_usd),
            DURATION_POWER[goal],
            limit_ms,
            float(storage_second_usd(rates, storage_mb)),
        )

    def value(self, memory_mb: int, duration_ms: float) -> float:
        """Return the value at a measured mean duration."""
        return self._price(memory_mb, billed_ms(duration_ms)) * duration_ms**self.duration_power

    def allows(self, duration_ms: float) -> bool:
        """Return True for a mean duration within the limit."""
        return self.limit_ms is None or duration_ms <= self.limit_ms

    def _price(self, memory_mb: int, milliseconds: int) -> float:
        return milliseconds / 1000 * (memory_mb / 1024 * self.usd_per_gb_s + self.usd_per_s) + self.usd_per_request

    def values(self, sizes_mb: Sequence[int], durations_ms: Array) -> Array:
        """Return the values at possible mean durations, (curves, sizes); infinite above the limit.

        Single calls vary, so that rounding each up to a millisecond adds half of one on average.
        """
        usd_per_s = np.asarray(sizes_mb) / 1024 * self.usd_per_gb_s + self.usd_per_s
        price = (durations_ms + 0.5) / 1000 * usd_per_s + self.usd_per_request
        values = price * durations_ms**self.duration_power
        return np.asarray(values if self.limit_ms is None else np.where(durations_ms <= self.limit_ms, values, np.inf))


DURATION_POWER: Mapping[str, int] = {"cost": 0, "cost_guarded": 0, "balanced": 1}
# A quarter of the median drift of a function between months (2 %): a smaller gain cannot be told from noise.
WORTH_A_CHANGE = 0.005
# Coefficient of variation assumed of single calls, of which only the mean is known.
CALL_VARIATION = 0.5
# Standard deviation of the log of how a size compares with another under older code: what a deploy changes besides.
EARLIER_SD = 0.2
# Tries that are planned together.
PLANNED_TRIES = 2
CURVES = 8000
GROUPS = 32


class UnknownGoal(OptimizerError, ValueError):
    """The goal is none of DURATION_POWER."""


class NothingObserved(OptimizerError, ValueError):
    """No duration is known at the current size."""


@dataclass(frozen=True, slots=True)
class SizeSeen:
    """The mean duration of the calls at a size. invocations: their number, 0 where it is not known."""

    mean_duration_ms: float
    invocations: int


@dataclass(frozen=True, slots=True)
class MemoryDecision:
    """The size to run at next, and why.

    predicted: median and 80 % interval of the mean duration in ms at each allowed or observed size, of the long run
    where the size was observed. sampled_ms: the equally likely mean durations that the intervals were taken from, those
    of one curve at the same place in every size.
    """

    memory_mb: int
    reason: str
    predicted: Mapping[int, Interval]
    sampled_ms: Mapping[int, Array] = field(repr=False, compare=False)


def choose(
    observed: Mapping[int, SizeSeen],
    rates: Rates,
    allowed_mb: Sequence[int],
    current_mb: int,
    goal: str,
    max_slowdown: float | None,
    changes_left: int,
    earlier: Mapping[int, SizeSeen] | None = None,
    storage_mb: int = FREE_STORAGE_MB,
) -> MemoryDecision:
    """Return the next allowed size to try, or the best observed one; with no change left, always an observed one.

    observed: the sizes in the order in which the function ran at them. max_slowdown: the largest mean duration as a
    multiple of that at the first size; None for no limit. changes_left: how many more sizes may be tried. earlier: what
    older code tells of further sizes, at the level of the present code; it informs the belief and is no observation. If
    no observed size is both allowed and fast enough, the current one stays.

    Raises UnknownGoal, NothingObserved, or NoPrice where storage has none.
    """
    if goal not in DURATION_POWER:
        raise UnknownGoal(f"goal {goal!r}: one of {', '.join(DURATION_POWER)}")
    if current_mb not in observed:
        raise NothingObserved(f"no duration is known at the current {current_mb} MB")
    first_ms = next(iter(observed.values())).mean_duration_ms
    objective = Objective.of(rates, goal, None if max_slowdown is None else max_slowdown * first_ms, storage_mb)
    belief = believe(observed, allowed_mb, earlier or {})
    durations_ms = belief.sample(CURVES)
    predicted, sampled_ms = _predicted(belief, durations_ms)
    best_mb = _best_seen(observed, allowed_mb, current_mb, objective)
    columns = [at for at, mb in enumerate(belief.sizes_mb) if mb in allowed_mb and mb not in observed]
    if changes_left <= 0 or not columns:
        return MemoryDecision(best_mb, _keep(best_mb, "no other size may be tried"), predicted, sampled_ms)
    values = objective.values(belief.sizes_mb, durations_ms)[:, columns]
    best_value = objective.value(best_mb, observed[best_mb].mean_duration_ms)
    for horizon in _horizons(len(observed) - 1, changes_left):
        stay, regrets = _expected_regrets(values, best_value, horizon)
        gains = (1.0 - np.exp(regrets - stay)).tolist()
        first = {belief.sizes_mb[at]: gain for at, gain in zip(columns, gains, strict=True)}
        if len(observed) == 1 and objective.duration_power:
            # One size does not show how much slower a smaller one is: where duration counts, the first step goes up.
            first = {mb: gain for mb, gain in first.items() if mb > current_mb} or first
        # The last try tells nothing for a further one, so that of equal ones the one that changes less is better.
        equal = WORTH_A_CHANGE if horizon == 1 else 0.0
        as_good = [mb for mb, gain in first.items() if gain >= max(first.values()) - equal]
        try_mb = min(as_good, key=lambda mb: abs(math.log(mb / current_mb)))
        if first[try_mb] >= WORTH_A_CHANGE:
            reason = _try(try_mb, predicted[try_mb], observed[current_mb].mean_duration_ms, first[try_mb])
            return MemoryDecision(try_mb, reason, predicted, sampled_ms)
    return MemoryDecision(
        best_mb,
        _keep(best_mb, f"trying another is expected to gain less than {WORTH_A_CHANGE:.1%}"),
        predicted,
        sampled_ms,
    )


def _horizons(tried: int, changes_left: int) -> tuple[int, ...]:
    """Return how many tries to plan for, the first of which that is worth it counts.

    The first PLANNED_TRIES are chosen as if no other followed. A try that prepares a later one is only as good as the
    curves of the belief; so each further try adds a size to those that fewer tries would have seen, and cannot lead to
    a worse one. Where none would follow, what is left is planned for.
    """
    fewer = min(changes_left, max(1, PLANNED_TRIES - tried))
    return (fewer,) if fewer == changes_left else (fewer, changes_left)


def smallest(
    observed: Mapping[int, SizeSeen],
    allowed_mb: Sequence[int],
    earlier: Mapping[int, SizeSeen] | None = None,
) -> MemoryDecision:
    """Return the smallest allowed size with its predicted durations, for a need that no price weighs up.

    Parameters as of `choose`."""
    belief = believe(observed, allowed_mb, earlier or {})
    smallest_mb = min(allowed_mb)
    return MemoryDecision(
        smallest_mb,
        f"{smallest_mb} MB is the smallest size that may be tried.",
        *_predicted(belief, belief.sample(CURVES)),
    )


def _predicted(belief: Belief, durations_ms: Array) -> tuple[dict[int, Interval], dict[int, Array]]:
    ranges = np.quantile(durations_ms, (0.1, 0.5, 0.9), axis=0).T.tolist()
    predicted = {
        mb: Interval(middle, low, high) for mb, (low, middle, high) in zip(belief.sizes_mb, ranges, strict=True)
    }
    return predicted, dict(zip(belief.sizes_mb, durations_ms.T, strict=True))


def believe(
    observed: Mapping[int, SizeSeen], allowed_mb: Sequence[int], earlier: Mapping[int, SizeSeen] = MappingProxyType({})
) -> Belief:
    """Return the belief about the curve at the allowed and the observed sizes, and at those that older code ran at."""
    belief = Belief.prior(sorted({*allowed_mb, *observed, *earlier}))
    for memory_mb, seen in earlier.items():
        variance = EARLIER_SD**2 + (CALL_VARIATION**2 / seen.invocations if seen.invocations else 0.0)
        belief = belief.observe(memory_mb, math.log(seen.mean_duration_ms), variance)
    for memory_mb, seen in observed.items():
        variance = CALL_VARIATION**2 / seen.invocations if seen.invocations else 0.0
        belief = belief.observe(memory_mb, math.log(seen.mean_duration_ms), variance)
    return belief


def _best_seen(
    observed: Mapping[int, SizeSeen], allowed_mb: Sequence[int], current_mb: int, objective: Objective
) -> int:
    fit = [mb for mb, seen in observed.items() if mb in allowed_mb and objective.allows(seen.mean_duration_ms)]
    return min(fit, key=lambda mb: objective.value(mb, observed[mb].mean_duration_ms), default=current_mb)


def _expected_regrets(values: Array, best: float, changes_left: int) -> tuple[float, Array]:
    """Return the mean log of (best size found / best size of all) without a try, and after trying each column first.

    Where another change is left, the best other column follows the first, chosen by what the first showed: the curves
    are grouped by their value at the first try, and within a group that value is as good as known.

    values: of the sizes not observed yet, (curves, sizes), infinite where too slow. best: the best observed value.
    """
    least = np.minimum(values.min(axis=1), best)[:, None]
    left = np.log(np.minimum(values, best) / least)  # the loss after this try alone, (curves, sizes)
    stay = float(np.mean(np.log(best / least)))
    if changes_left == 1 or values.shape[1] == 1:
        return stay, np.asarray(np.mean(left, axis=0))
    bounds = np.linspace(0, len(values), GROUPS, endpoint=False).astype(int)
    regrets = []
    for first in range(values.shape[1]):
        then = np.minimum(left, left[:, [first]])
        order = np.argsort(values[:, first], kind="stable")
        groups = np.add.reduceat(then[order], bounds, axis=0)
        regrets.append(groups.min(axis=1).sum() / len(values))
    return stay, np.array(regrets)


def _keep(memory_mb: int, why: str) -> str:
    return f"{memory_mb} MB is the best size so far, and {why}."


def _try(memory_mb: int, duration_ms: Interval, now_ms: float, gain: float) -> str:
    return (
        f"Try {memory_mb} MB: {figure(duration_ms.low)}-{figure(duration_ms.high)} ms expected (now {figure(now_ms)} "
        f"ms); it should bring the function {gain:.1%} closer to its best size."
    )
