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
CURVES = 4000
GROUPS = 16


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
    durations = belief.sample(CURVES)
    predicted = {
        mb: Interval(middle, low, high)
        for mb, (low, middle, high) in zip(belief.sizes_mb, np.quantile(durations, (0.1, 0.5, 0.9), axis=0).T.tolist())
    }
    best_mb = _best_seen(observed, allowed_mb, current_mb, objective)
    tries = [at for at, mb in enumerate(belief.sizes_mb) if mb in allowed_mb and mb not in observed]
    if changes_left > 0 and tries:
        values = objective.values(belief.sizes_mb, durations)
        best = np.full(CURVES, objective.values([best_mb], np.array([[observed[best_mb].mean_duration_ms]]))[0, 0])
        for mb in observed:
            values[:, belief.sizes_mb.index(mb)] = np.inf
        regrets = _expected_regrets(values, best, tries, changes_left)
        stay = np.mean(best / np.minimum(values.min(axis=1), best)) - 1.0
        gain = stay - regrets.min()
        if gain > WORTH_A_CHANGE:
            try_mb = belief.sizes_mb[tries[int(np.argmin(regrets))]]
            return Decision(try_mb, f"try {try_mb} MB: expected gain {gain:.1%}", predicted)
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


def _best_seen(
    observed: Mapping[int, SizeSeen], allowed_mb: Sequence[int], current_mb: int, objective: Objective
) -> int:
    """The best observed size that is allowed and fast enough; the first size, failing that the current one, if none."""
    fit = [mb for mb, seen in observed.items() if mb in allowed_mb and objective.allows(seen.mean_duration_ms)]
    return min(fit, key=lambda mb: objective.value(mb, observed[mb].mean_duration_ms), default=current_mb)


def _expected_regrets(values: Array, seen: Array, tries: Sequence[int], changes_left: int) -> Array:
    """Mean of (best size found / best size of all - 1) after trying each column of `tries` first and, where another
    change is left, the best other column then, chosen by what the first try showed.

    `values`: shape (curves, sizes), infinite where too slow; `seen`: the best value seen, shape (curves,).
    The curves are grouped by the value at the first try: within a group it is as good as known.
    """
    least = np.minimum(values.min(axis=1), seen)
    shortfall = np.minimum(values[:, tries], seen[:, None]) / least[:, None]  # (curves, tries)
    if changes_left == 1 or len(tries) == 1:
        return np.asarray(shortfall.mean(axis=0) - 1.0)
    regrets = []
    for column, size in enumerate(tries):
        order = np.argsort(values[:, size], kind="stable")
        after = np.minimum(shortfall, shortfall[:, [column]])[order]
        groups = np.add.reduceat(after, np.linspace(0, len(after), GROUPS, endpoint=False).astype(int), axis=0)
        regrets.append(groups.min(axis=1).sum() / len(after) - 1.0)
    return np.array(regrets)
