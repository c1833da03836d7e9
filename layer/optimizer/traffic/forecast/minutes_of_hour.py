"""Forecast in which minutes of an hour its cold starts happen: any, a minute of every hour, or a time of day."""

import numpy as np

from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import Ints

HOUR, DAY_HOURS = 60, 24
# Minutes around the same minute of other hours, and around the same time of other days.
_REACH_OF_HOUR, _REACH_OF_DAY = (0, 2), (0, 2, 7)
# The weight of a day for the next one.
_FADING = 0.9
# Events with which each member's share begins: most of it at any minute.
_AT_ANY, _PRIOR = 2.0, 0.1
_ROUNDS = 30
# Of more minutes with cold starts, every second, third, ... is used.
_MOST_EVENTS = 2000
# With fewer cold starts nothing can be told from chance.
_FEWEST_EVENTS = 4


def shares_of_minutes(cold: Reals, local: Ints, ahead: Ints) -> tuple[Reals, Reals]:
    """Return the share of an hour's cold starts in each of its minutes, for the past hours and for those ahead:
    [hours, 60], each row sums to 1. Shares of past hours come from other days.

    cold: [hours, 60], cold starts of past minutes. local, ahead: local hours since 1970 of the past hours and of those
    ahead. Members are mixed with weights fitted by expectation maximisation on cold starts of days that the members
    did not see.
    """
    even, past_even = np.full((len(ahead), HOUR), 1 / HOUR), np.full((len(local), HOUR), 1 / HOUR)
    if cold.sum() < _FEWEST_EVENTS:
        return past_even, even
    day = local // DAY_HOURS
    days, of_day = np.unique(day, return_inverse=True)
    members = [(past_even, even)]
    members += [_of_hour(cold, of_day, len(ahead), reach) for reach in _REACH_OF_HOUR]
    earlier = _earlier_days(cold, of_day, local % DAY_HOURS, len(days))
    next_day = np.minimum(np.searchsorted(days, ahead // DAY_HOURS), len(days))
    for reach in _REACH_OF_DAY:
        table = _around(earlier, reach).reshape(len(days) + 1, DAY_HOURS, HOUR)
        members.append((table[of_day, local % DAY_HOURS], table[next_day, ahead % DAY_HOURS]))
    hour, minute = np.nonzero(cold)
    every = -(-len(hour) // _MOST_EVENTS)
    hour, minute = hour[::every], minute[::every]
    happened = cold[hour, minute]
    past_shares = [_shares(past) for past, _ in members]
    seen = np.stack([shares[hour, minute] for shares in past_shares], axis=1)
    prior = np.array([_AT_ANY, *[_PRIOR] * (len(members) - 1)])
    weights = prior / prior.sum()
    for _ in range(_ROUNDS):
        weights = weights * (happened / (seen @ weights) @ seen) + prior
        weights /= weights.sum()
    past = sum(weight * shares for weight, shares in zip(weights, past_shares, strict=True))
    later = sum(weight * _shares(next_) for weight, (_, next_) in zip(weights, members, strict=True))
    return np.asarray(past), np.asarray(later)


def _of_hour(cold: Reals, of_day: Ints, ahead: int, reach: int) -> tuple[Reals, Reals]:
    """Return the cold starts around each minute of all other days' hours, for each past hour and for each one ahead."""
    by_day = np.zeros((int(of_day.max()) + 1, HOUR))
    np.add.at(by_day, of_day, cold)
    total = by_day.sum(axis=0)
    around = sum(np.roll(total - by_day, shift, axis=1) for shift in range(-reach, reach + 1))
    ahead_around = sum(np.roll(total, shift) for shift in range(-reach, reach + 1))
    return np.asarray(around)[of_day], np.broadcast_to(np.asarray(ahead_around), (ahead, HOUR))


def _earlier_days(cold: Reals, of_day: Ints, hour: Ints, days: int) -> Reals:
    """Return the fading sum of the days before each day, and before the day after the last: [days + 1, 1440]."""
    grid = np.zeros((days, DAY_HOURS, HOUR))
    np.add.at(grid, (of_day, hour), cold)
    sums = np.zeros((days + 1, DAY_HOURS * HOUR))
    for index, day in enumerate(grid.reshape(days, -1)):
        sums[index + 1] = sums[index] * _FADING + day
    return sums


def _around(days: Reals, reach: int) -> Reals:
    if not reach:
        return days
    padded = np.concatenate([days[:, -reach:], days, days[:, :reach]], axis=1)
    total = np.cumsum(np.concatenate([np.zeros((len(days), 1)), padded], axis=1), axis=1)
    width = 2 * reach + 1
    return np.asarray(total[:, width:] - total[:, :-width])


def _shares(counts: Reals) -> Reals:
    """Return rows that sum to 1. A row without any count is even."""
    counts = counts + 1e-4 * counts.sum(axis=1, keepdims=True) / HOUR + 1e-9
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))
