"""Judge the result of a closed loop by the truth that only the simulation knows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optimizer.capacity.provisioned import Demand, usd_month
from optimizer.core import Change, Status, Tuner
from optimizer.policy import Policy
from optimizer.prices import Rates, aws_lambda

from local_account.closed_loop import ClosedLoop, Ended, target_of
from local_account.fleet import TargetFunction
from local_account.simulated_services import COLD_SHARE
from local_account.traces import DAY_MINUTES

_DAYS_A_MONTH = 365 / 12
# With so many more failed calls, as a share, a size is worse beyond any doubt.
_MORE_ERRORS = 0.01


@dataclass(frozen=True, slots=True)
class Result:
    """Bills in USD a month, of the same traffic.

    `least` is the bill of the best sizes and provisioned concurrency that the curves and the policy allow. `too_slow`
    holds functions left slower than the policy allows, with their slowdown. `worse` are changes that made things worse,
    `worse_kept` those of them that were not rolled back; `false_reverts` are good changes that were.
    """

    functions: int
    before: float
    after: float
    least: float
    too_slow: dict[str, float]
    kept: Sequence[Ended]
    worse: Sequence[Ended]
    worse_kept: Sequence[Ended]
    false_reverts: Sequence[Ended]
    unfinished: Sequence[Ended]

    @property
    def saved(self) -> float:
        """Return the saved share of the bill, 0 to 1."""
        return 1 - self.after / self.before

    @property
    def allowed(self) -> float:
        """Return the largest share that could be saved, 0 to 1."""
        return 1 - self.least / self.before


def judge_loop(loop: ClosedLoop) -> Result:
    """Compare the outcome with the curves."""
    policy = loop.policy
    now = {name: state_of(loop, name) for name in loop.twins}
    too_slow = {}
    for target in loop.targets:
        slowdown = target.behaviour.slowdown(now[target.name][0], target.memory_mb)
        if slowdown > policy.memory.max_slowdown:
            too_slow[target.name] = slowdown
    lived = [end for end in loop.ended if end.status in (Status.KEPT, Status.REVERTED)]
    worse = [end for end in lived if is_worse(end.change, target_of(end.change, loop.targets), policy, loop.rates)]
    return Result(
        functions=len(loop.targets),
        before=sum(_bill(loop.rates, target, target.memory_mb, 0) for target in loop.targets),
        after=sum(_bill(loop.rates, target, *now[target.name]) for target in loop.targets),
        least=sum(least_bill(target, policy, loop.rates) for target in loop.targets),
        too_slow=too_slow,
        kept=[end for end in lived if end.status is Status.KEPT],
        worse=worse,
        worse_kept=[end for end in worse if end.status is Status.KEPT],
        false_reverts=[
            end for end in lived if end.status is Status.REVERTED and end not in worse and _worth_it(end.change, loop)
        ],
        unfinished=[end for end in loop.ended if end not in lived],
    )


def is_worse(change: Change, target: TargetFunction, policy: Policy, rates: Rates) -> bool:
    """Return whether the change fails more calls, is too slow for the policy or makes calls dearer, by the truth.

    The slowdown is measured against the size before the change and against that at the start. Provisioned concurrency
    makes no call slower here.
    """
    if change.tuner is not Tuner.MEMORY:
        return False
    before, after = int(change.before["memory_mb"]), int(change.after["memory_mb"])
    behaviour, first = target.behaviour, target.memory_mb
    ratio = behaviour.slowdown(after, first) / behaviour.slowdown(before, first)
    slower = max(ratio, behaviour.slowdown(after, first)) > policy.memory.max_slowdown
    fails = behaviour.errors(after, first) > behaviour.errors(before, first) + _MORE_ERRORS
    needed = before < behaviour.used_memory_mb * policy.memory.headroom
    return slower or fails or (not needed and _call_usd(rates, target, after) > _call_usd(rates, target, before))


def _worth_it(change: Change, loop: ClosedLoop) -> bool:
    if change.tuner is not Tuner.MEMORY:
        return True
    target = target_of(change, loop.targets)
    before, after = (_call_usd(loop.rates, target, int(part["memory_mb"])) for part in (change.before, change.after))
    return after <= before * (1 - loop.policy.memory.min_gain)


def least_bill(target: TargetFunction, policy: Policy, rates: Rates) -> float:
    """Return the smallest bill at any size and provisioned concurrency that the policy allows, steps apart."""
    limits, behaviour, first = policy.memory, target.behaviour, target.memory_mb
    sizes = [
        mb
        for mb in limits.sizes_mb
        if max(limits.floor_mb, behaviour.used_memory_mb * limits.headroom) <= mb <= limits.ceiling_mb
        and behaviour.slowdown(mb, first) <= limits.max_slowdown
        and behaviour.errors(mb, first) <= behaviour.error_rate
    ]
    most = policy.provisioned_concurrency.max_per_function
    return min(_bill(rates, target, mb, held) for mb in {*sizes, first} for held in range(most + 1))


def saved_by_day(loop: ClosedLoop, target: TargetFunction, days: int) -> list[float]:
    """Return the USD that the size and provisioned concurrency found would have saved on each day."""
    found, begin = state_of(loop, target.name), target.traffic.index(loop.begin)
    saved = []
    for day in range(days):
        minutes = slice(max(0, begin + day * DAY_MINUTES), max(0, begin + (day + 1) * DAY_MINUTES))
        bills = [_bill(loop.rates, target, *state, minutes) for state in ((target.memory_mb, 0), found)]
        saved.append((bills[0] - bills[1]) / _DAYS_A_MONTH)
    return saved


def state_of(loop: ClosedLoop, name: str) -> tuple[int, int]:
    """Return the function's current size and provisioned environments."""
    twin = loop.twins[name]
    memory_mb = int(twin.versions[twin.alias["version"]]["MemorySize"])
    return memory_mb, twin.provisioned["requested"] if twin.provisioned else 0


def _mean_ms(target: TargetFunction, memory_mb: int) -> float:
    calls = target.traffic.invocations
    usual = float(np.average(target.traffic.duration_ms, weights=calls)) if calls.any() else 0.0
    return usual * target.behaviour.slowdown(memory_mb, target.memory_mb)


def _call_usd(rates: Rates, target: TargetFunction, memory_mb: int) -> float:
    return float(aws_lambda.call_usd(rates, memory_mb, _mean_ms(target, memory_mb)))


def _bill(
    rates: Rates, target: TargetFunction, memory_mb: int, environments: int, minutes: slice = slice(None)
) -> float:
    calls = target.traffic.invocations[minutes]
    slowdown = target.behaviour.slowdown(memory_mb, target.memory_mb)
    demand = Demand(calls * target.traffic.duration_ms[minutes] * slowdown / 60_000.0)
    calls_month = float(calls.mean() if len(calls) else 0.0) * DAY_MINUTES * _DAYS_A_MONTH
    init = float(aws_lambda.call_usd(rates, memory_mb, target.behaviour.init_ms) - rates.request_usd)
    return usd_month(demand, rates, memory_mb, _mean_ms(target, memory_mb), calls_month, environments) + (
        calls_month * COLD_SHARE * init
    )
