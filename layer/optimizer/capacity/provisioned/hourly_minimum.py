"""Provisioned concurrency by the hour of the week: the environments worth holding in each hour. Pure."""

import numpy as np

from optimizer.capacity.provisioned.timetable import READY_MINUTES
from optimizer.traffic import Floats

_HOUR = 60


def scheduled_minimum(used: Floats, *, least_utilisation: float, floor: int = 0) -> tuple[int, ...]:
    """Return the environments to hold in each hour: each further one through the hours in which it is busy enough.

    used: [environments, hours], the share of each hour in which the first, second, ... environment is expected to be
    busy; NaN for not known, which holds nothing. The last hour comes before the first: the week repeats.
    least_utilisation: the share of busy time from which an environment is worth its price (the break-even, or less
    where the policy buys latency). floor: environments that are always held. Starting an environment costs its price
    until it is ready, so that none is given back for an hour only to be started again.
    """
    if not 0 < least_utilisation <= 1:
        raise ValueError(f"least_utilisation must be above 0 and at most 1, not {least_utilisation}")
    held = np.full(used.shape[1], floor)
    for share in np.nan_to_num(used[floor:], nan=0.0):
        worth = share - least_utilisation
        # Where this environment is not busy enough in any hour, no further one is.
        if not (worth > 0).any():
            break
        through = _worth_holding(worth, least_utilisation * READY_MINUTES / _HOUR)
        if not through.any():
            break
        held += through
    return tuple(held.tolist())


def _worth_holding(worth: Floats, start_cost: float) -> np.ndarray:
    """Return the hours that add up to the most worth, less `start_cost` for each time that holding begins.

    The result is exact: the better of the weeks that begin and end with nothing held, and with the environment held.
    """
    weeks = [_best_week(worth, start_cost, state) for state in (False, True)]
    return max(weeks, key=lambda week: week[0])[1]


def _best_week(worth: Floats, start_cost: float, state: bool) -> tuple[float, np.ndarray]:
    """Return worth and hours by dynamic programming backwards; `state`: held before the first hour and in the last.

    Where holding is worth exactly as much as not holding, nothing is held.
    """
    hours = len(worth)
    gain = np.full((hours + 1, 2), -np.inf)
    gain[hours, int(state)] = 0.0
    choice = np.zeros((hours, 2), bool)
    for hour in range(hours - 1, -1, -1):
        for before in (0, 1):
            holding = worth[hour] + gain[hour + 1, 1] - (0.0 if before else start_cost)
            choice[hour, before] = holding > gain[hour + 1, 0]
            gain[hour, before] = max(holding, gain[hour + 1, 0])
    through = np.zeros(hours, bool)
    held = int(state)
    for hour in range(hours):
        through[hour] = choice[hour, held]
        held = int(through[hour])
    return float(gain[0, int(state)]), through
