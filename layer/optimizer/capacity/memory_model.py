"""Which memory size a function should run at next, from the sizes that it has run at so far.

A Bayesian experiment with few tries: the belief about the curve (memory_belief.py) says what each size may bring, the
size with the largest expected gain, two changes ahead, is tried, and the best size seen is kept when no try is worth
it. "Gain" is how much dearer the best size seen is than the one that would be found, so that a missed optimum counts
as much as it costs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.capacity.memory_belief import Belief
from optimizer.capacity.memory_curves import Array
from optimizer.capacity.memory_value import Objective, usd_per_gb_s
from optimizer.changes import Interval

DURATION_POWER = {"cost": 0, "cost_guarded": 0, "balanced": 1}
WORTH_A_CHANGE = 0.005
# Coefficient of variation of single calls that is assumed where only their mean is known.
CALL_VARIATION = 0.5
OUTCOMES = 9


class UnknownGoal(ValueError):
    """The goal is none of DURATION_POWER."""


class NothingObserved(ValueError):
    """No size has a usable mean duration, or the current size is not among the observed."""


@dataclass(frozen=True, slots=True)
class SizeSeen:
    """Mean duration of the calls at a size; `invocations` 0: how many there were is not known."""

    mean_duration_ms: float
    invocations: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The size to run at next; `predicted`: mean duration in ms at every allowed or observed size, 80 % interval."""

    memory_mb: int
    reason: str
    predicted: Mapping[int, Interval]


def choose(
    observed: Mapping[int, SizeSeen],
    architecture: str,
    allowed_mb: Sequence[int],
    current_mb: int,
    goal: str,
    max_slowdown: float | None,
    changes_left: int,
) -> Decision:
    """The next size to try, or the best one seen.

    `observed` is in the order in which the sizes were run; `max_slowdown` is the largest duration as a multiple of that
    at the first of them.
    """
    if goal not in DURATION_POWER:
        raise UnknownGoal(f"goal {goal!r}: one of {', '.join(DURATION_POWER)}")
    if current_mb not in observed:
        raise NothingObserved(f"no duration is known at the current {current_mb} MB")
    objective = _objective(observed, architecture, goal, max_slowdown)
    belief = believe(observed, allowed_mb)
    best_mb = _best_seen(observed, allowed_mb, current_mb, objective)
    tries = [mb for mb in allowed_mb if mb not in observed]
    predicted = predict(belief)
    if changes_left > 0 and tries:
        best = objective.value(best_mb, observed[best_mb].mean_duration_ms)
        gains = _expected_gains(belief, objective, best, tries, changes_left)
        try_mb = max(tries, key=lambda mb: gains[mb])
        if gains[try_mb] > WORTH_A_CHANGE:
            return Decision(try_mb, f"try {try_mb} MB: expected gain {gains[try_mb]:.1%}", predicted)
    return Decision(best_mb, f"keep {best_mb} MB", predicted)


def _objective(observed: Mapping[int, SizeSeen], architecture: str, goal: str, max_slowdown: float | None) -> Objective:
    first = next(iter(observed.values()))
    limit_ms = None if max_slowdown is None else max_slowdown * first.mean_duration_ms
    return Objective(usd_per_gb_s(architecture), DURATION_POWER[goal], limit_ms)


def believe(observed: Mapping[int, SizeSeen], allowed_mb: Sequence[int]) -> Belief:
    """What is known of the curve at the allowed and the observed sizes."""
    belief = Belief.prior(sorted({*allowed_mb, *observed}))
    for memory_mb, seen in observed.items():
        variance = CALL_VARIATION**2 / seen.invocations if seen.invocations else 0.0
        belief = belief.observe(memory_mb, math.log(seen.mean_duration_ms), variance)
    return belief


def predict(belief: Belief) -> Mapping[int, Interval]:
    """Mean duration in ms at each size of the belief: median and 80 % interval."""
    return {mb: Interval(middle, low, high) for mb, (low, middle, high) in belief.intervals(0.1).items()}


def _best_seen(
    observed: Mapping[int, SizeSeen], allowed_mb: Sequence[int], current_mb: int, objective: Objective
) -> int:
    """The best observed size that is allowed and fast enough; the first size, failing that the current one, if none."""
    fit = [mb for mb, seen in observed.items() if mb in allowed_mb and objective.allows(seen.mean_duration_ms)]
    return min(fit, key=lambda mb: objective.value(mb, observed[mb].mean_duration_ms), default=current_mb)


def _expected_gains(
    belief: Belief, objective: Objective, best: float, tries: Sequence[int], changes_left: int
) -> dict[int, float]:
    """Expected gain of trying each size first, with one more try after it if one is left."""
    at = {mb: belief.sizes_mb.index(mb) for mb in tries}
    if changes_left == 1 or len(tries) == 1:
        now = _mean_gains(belief, objective, best)
        return {mb: float(now[at[mb]]) for mb in tries}
    shares = (np.arange(OUTCOMES) + 0.5) / OUTCOMES
    result = {}
    for mb in tries:
        others = [at[other] for other in tries if other != mb]
        kept = []
        for log_duration in belief.quantiles(mb, shares):
            duration_ms = math.exp(log_duration)
            found = objective.value(mb, duration_ms) if objective.allows(duration_ms) else math.inf
            best_then = min(best, found)
            after = belief.observe(mb, log_duration, 0.0)
            next_gain = float(np.max(_mean_gains(after, objective, best_then)[others]))
            kept.append(best / best_then * (1.0 + next_gain) - 1.0)
        result[mb] = sum(kept) / len(kept)
    return result


def _mean_gains(belief: Belief, objective: Objective, best: float) -> Array:
    return np.asarray(np.einsum("lc,lcm->m", belief.weights, objective.gains(belief, best)))
