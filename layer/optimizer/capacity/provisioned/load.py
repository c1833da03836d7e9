"""Busy environments minute by minute, and how well provisioned concurrency would be used. Pure."""

from dataclasses import dataclass

import numpy as np

from optimizer.policy import ProvisionedConcurrency
from optimizer.prices import aws_lambda
from optimizer.prices.aws_lambda import FREE_STORAGE_MB, Rates
from optimizer.traffic import Floats, Series, busy_on_average

_DAY_MINUTES = 1440
DAYS_A_MONTH = 365 / 12
# List prices are rounded: 60 % in the policy means the break-even, not a purchase of latency below it.
_SAME = 0.001


@dataclass(frozen=True, slots=True)
class Demand:
    """The load of a function.

    busy: environments at work on average in each known minute (Little's law). groups: how many calls of the minute come
    together; None if all come evenly."""

    busy: Floats
    groups: Floats | None = None

    @classmethod
    def of(cls, minutes: Series, groups: Floats | None = None) -> "Demand":
        """Read a minute series; minutes that are not known are left out, those without calls are zero."""
        busy = busy_environments(minutes)
        known = ~np.isnan(busy)
        return cls(busy[known], groups[known] if groups is not None and (groups > 1).any() else None)

    @property
    def days(self) -> float:
        """Length of the known time in days."""
        return len(self.busy) / _DAY_MINUTES

    def scaled(self, duration_ratio: float) -> "Demand":
        """Return the demand if every call took so many times as long."""
        return Demand(self.busy * duration_ratio, self.groups)

    def served(self, environments: int) -> float:
        """Return the busy environments, on average, that so many provisioned ones take over."""
        if not len(self.busy):
            return 0.0
        if self.groups is None:
            return float(np.minimum(self.busy, environments).mean())
        # Calls of a group keep as many environments busy at once, and none of them between the groups.
        in_progress = self.busy / self.groups
        fewer = np.floor(in_progress)
        more_often = in_progress - fewer
        most, least = (np.minimum(self.groups * number, environments) for number in (fewer + 1, fewer))
        return float((more_often * most + (1 - more_often) * least).mean())

    def utilisation(self, environments: int) -> float:
        """Return the share of their time (0 to 1) that so many provisioned environments would be busy."""
        return self.served(environments) / environments if environments else 0.0

    @property
    def mean(self) -> float:
        """Busy environments on average."""
        return float(self.busy.mean()) if len(self.busy) else 0.0


def busy_environments(minutes: Series) -> Floats:
    """Return the environments at work in each minute of a series, on average (Little's law); NaN not known."""
    if not len(minutes):
        return np.zeros(0)
    return busy_on_average(minutes.values["invocations"], minutes.values["duration_ms"])


def worth_holding(demand: Demand, rates: Rates, memory_mb: int, limits: ProvisionedConcurrency) -> int:
    """Return the number of environments to hold at all times.

    Each environment that is busy above the break-even of its Region pays for itself; where the policy accepts a lower
    use, the rest of its budget buys latency.
    """
    pays = float(aws_lambda.break_even_utilisation(rates))
    least = pays if limits.min_utilisation is None else limits.min_utilisation
    buys_latency = least < pays - _SAME
    held = 0
    for environments in range(1, limits.max_per_function + 1):
        if provisioned_usd_month(rates, memory_mb, environments) > budget_month(limits):
            break
        last_one = demand.served(environments) - demand.served(environments - 1)
        bought = buys_latency and demand.utilisation(environments) >= least
        if not bought and (last_one < pays or demand.utilisation(environments) < least):
            break
        held = environments
    return held


def least_worth(rates: Rates, limits: ProvisionedConcurrency) -> float:
    """Return the share of its time that an environment must be busy to be worth holding; above 1 it never is.

    It is the break-even, or what the policy says where it accepts less for the sake of latency, or wants more.
    """
    pays = float(aws_lambda.break_even_utilisation(rates))
    if limits.min_utilisation is None:
        return pays
    # At least 1 %: an environment that is never called is worth nothing.
    wanted = max(limits.min_utilisation, 0.01)
    return pays if abs(wanted - pays) < _SAME else wanted


def budget_month(limits: ProvisionedConcurrency) -> float:
    """Return the smaller of the monthly budget and a month of daily budgets, in USD."""
    return min(limits.max_usd_month, limits.max_usd_day * DAYS_A_MONTH)


def provisioned_usd_month(rates: Rates, memory_mb: int, environments: int) -> float:
    """Return the USD a month that so many environments cost if held at all times, before any call."""
    return float(aws_lambda.provisioned_usd(rates, memory_mb, environments, aws_lambda.SECONDS_A_MONTH))


def usd_month(
    demand: Demand,
    rates: Rates,
    memory_mb: int,
    mean_duration_ms: float,
    calls_month: float,
    environments: int,
    storage_mb: int = FREE_STORAGE_MB,
) -> float:
    """Return the function's bill in USD a month; raise NoPrice where environments are held and have no known price.

    It is calls on provisioned environments at their cheaper rate, other calls on demand, and what is held.
    """
    on_demand = float(aws_lambda.call_usd(rates, memory_mb, mean_duration_ms, storage_mb=storage_mb))
    if not environments:
        return calls_month * on_demand
    share = demand.served(environments) / demand.mean if demand.mean else 0.0
    provisioned = float(aws_lambda.provisioned_call_usd(rates, memory_mb, mean_duration_ms, storage_mb))
    calls = calls_month * (share * provisioned + (1 - share) * on_demand)
    return calls + provisioned_usd_month(rates, memory_mb, environments)
