"""Allocate one memory budget to several namespaces, so that their misses cost least. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.caches.tuning.curves import HitCurve
from optimizer.core import OptimizerError

# Partial sums are thinned to this number while namespaces are added one by one, which gives up at most 1/4000.
_KEPT = 4000


class BudgetTooSmall(OptimizerError, ValueError):
    """The smallest TTLs allowed are predicted to need more than the memory budget."""

    def __init__(self, budget: float, needed: float) -> None:
        super().__init__(f"the smallest TTLs allowed need {needed:.6g} of memory; the budget is {budget:.6g}")
        self.budget = budget
        self.needed = needed


class NoTtlWithinBounds(OptimizerError, ValueError):
    """A namespace's curve has no point between its bounds."""


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace whose TTL is to be set between two bounds.

    `miss_cost` is the cost of one miss, in any unit that is the same for all namespaces. `entry_size` is the memory of
    one entry in the budget's unit (1 when the budget counts entries). `memory_cost` is the cost a second of one such
    unit, 0 where nobody pays for it. TTLs below `least_hit_ratio` are not taken where others reach it.
    """

    curve: HitCurve
    min_ttl_s: float
    max_ttl_s: float
    miss_cost: float = 1.0
    entry_size: float = 1.0
    memory_cost: float = 0.0
    least_hit_ratio: float = 0.0

    def memory(self, at: int) -> float:
        """Return the memory with the TTL at position `at` of the curve."""
        return self.curve.live_entries[at] * self.entry_size

    def cost_per_s(self, at: int) -> float:
        """Return the cost a second of misses and memory with the TTL at position `at` of the curve."""
        return self.curve.misses_per_s(at) * self.miss_cost + self.memory(at) * self.memory_cost

    def within(self) -> list[int]:
        """Return the positions of the TTLs that may be taken."""
        inside = [i for i, ttl in enumerate(self.curve.ttl_s) if self.min_ttl_s <= ttl <= self.max_ttl_s]
        return [i for i in inside if self.curve.hit_ratio[i] >= self.least_hit_ratio] or inside


@dataclass(frozen=True, slots=True)
class Allocation:
    """The TTL of each namespace, with the memory (in the budget's unit) and the cost a second that are predicted."""

    ttl_s: Mapping[str, float]
    memory: float
    cost_per_s: float


def allocate_ttls(spaces: Mapping[str, Space], budget: float) -> Allocation:
    """Return the TTLs, each a point of its curve, whose misses and memory cost least within `budget` of memory.

    The problem is a multiple-choice knapsack. Merging the namespaces' Pareto fronts solves it exactly, up to thinning.
    Of equal costs the smaller memory wins, and of equal memory the shorter TTL. Raises BudgetTooSmall and
    NoTtlWithinBounds.
    """
    memory, cost = np.zeros(1), np.zeros(1)
    path = np.zeros((1, 0), dtype=np.int64)
    choices: list[NDArray[np.int64]] = []
    for name, space in spaces.items():
        points, needs, costs = _options(name, space)
        choices.append(points)
        all_memory = (memory[:, None] + needs[None, :]).ravel()
        all_cost = (cost[:, None] + costs[None, :]).ravel()
        kept = _front(all_memory, all_cost)
        within = kept[all_memory[kept] <= budget]
        if not len(within):
            raise BudgetTooSmall(budget, _least_memory(spaces))
        kept = within[np.unique(np.linspace(0, len(within) - 1, _KEPT).round().astype(np.int64))]
        before, option = np.divmod(kept, len(points))
        memory, cost = all_memory[kept], all_cost[kept]
        path = np.column_stack((path[before], option))
    best = len(memory) - 1
    ttls = {
        name: space.curve.ttl_s[int(points[option])]
        for (name, space), points, option in zip(spaces.items(), choices, path[best], strict=True)
    }
    return Allocation(ttls, float(memory[best]), float(cost[best]))


def _options(name: str, space: Space) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    inside = space.within()
    if not inside:
        raise NoTtlWithinBounds(f"{name}: the curve has no TTL from {space.min_ttl_s} s to {space.max_ttl_s} s")
    points = np.asarray(inside, dtype=np.int64)
    needs = np.asarray([space.memory(i) for i in inside])
    costs = np.asarray([space.cost_per_s(i) for i in inside])
    kept = _front(needs, costs)
    return points[kept], needs[kept], costs[kept]


def _front(memory: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the positions of the points that no other point beats in both, by rising memory."""
    order = np.lexsort((cost, memory))
    lowest = np.minimum.accumulate(cost[order])
    better = np.concatenate(([True], lowest[1:] < lowest[:-1]))
    return order[better]


def _least_memory(spaces: Mapping[str, Space]) -> float:
    return sum(float(_options(name, space)[1].min()) for name, space in spaces.items())
