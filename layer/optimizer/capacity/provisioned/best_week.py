"""Find the environments of a week that are worth holding, and test them on days that were left out. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.capacity.provisioned.local_days import LocalDays, Use, use
from optimizer.capacity.provisioned.timetable import READY_MINUTES
from optimizer.core import moment_of
from optimizer.traffic import Floats, Series
from optimizer.traffic.forecast import TooLittleHistory, forecast_hours

_DAY, _WEEK = 24, 7 * 24
# A difference that chance alone makes in one of twenty cases does not count.
_CERTAIN = 1.645
# Weekdays that are taken together have the same number; the fewest kinds of days come first.
KINDS: Mapping[str, tuple[int, ...]] = {
    "every day alike": (0,) * 7,
    "weekdays and weekends": (0, 0, 0, 0, 0, 1, 1),
    "weekdays, Saturdays and Sundays": (0, 0, 0, 0, 0, 1, 2),
    "each day of the week": (0, 1, 2, 3, 4, 5, 6),
}


@dataclass(frozen=True, slots=True)
class TriedWeek:
    """A week with its test.

    hours: environments of each hour of the week, Monday first. tried: its use on past days, each left out of the week
    that it was tested with. kinds: the weekdays taken together.
    """

    hours: tuple[int, ...]
    tried: Use
    kinds: str


def best_week(days: LocalDays, *, least_utilisation: float, most: int, floor: int = 0) -> TriedWeek:
    """Return the week worth most. least_utilisation: above 0. most, floor: bounds of the environments.

    Days of a kind are taken together, in as few kinds as possible: in more only where that is surely worth more on days
    left out.
    """
    levels = days.most_busy
    if days.cold is not None and days.cold_start_hours > 0:
        levels = max(levels, len(days.cold))
    used = days.used(max(min(most, levels), floor))
    cold_starts = days.worth_of_cold_starts(len(used))
    worth_of = used + cold_starts
    everything = np.ones(len(days), bool)
    best: tuple[Floats, str, Use] | None = None
    for name, kinds in KINDS.items():
        of_day = np.array(kinds)[days.weekdays]
        weeks = [
            scheduled_minimum(
                _usual(worth_of, of_day, kinds, np.arange(len(days)) != day),
                least_utilisation=least_utilisation,
                floor=floor,
            )
            for day in range(len(days))
        ]
        tried = use(used, cold_starts, days.weekdays, weeks)
        worth = tried.worth(least_utilisation)
        if best is None or surely_more(worth, best[0], days.weekdays):
            best = worth, name, tried
    assert best is not None  # noqa: S101  there are kinds
    kinds = KINDS[best[1]]
    of_day = np.array(kinds)[days.weekdays]
    hours = scheduled_minimum(
        _usual(worth_of, of_day, kinds, everything), least_utilisation=least_utilisation, floor=floor
    )
    return TriedWeek(hours, best[2], best[1])


def surely_more(worth: Floats, other: Floats, weekdays: NDArray[np.int64]) -> bool:
    """Return True where one worth is above the other by more than days of the same weekday differ by chance."""
    difference = worth - other
    variance = 0.0
    for weekday in range(7):
        same = difference[weekdays == weekday]
        if len(same) > 1:
            variance += len(same) * float(same.var(ddof=1))
        elif len(same):
            variance += float(same[0]) ** 2
    return float(difference.sum()) > max(_CERTAIN * math.sqrt(variance), 1e-9)


def level_ahead(hours: Series, timezone: str) -> float:
    """Return the traffic forecast for the next day as a multiple of the same hours one and two weeks before.

    The multiple is no further from 1 than these two weeks were from each other; 1 where too little is known.
    """
    calls = hours.values["invocations"] if len(hours) else np.empty(0)
    last, before = (float(np.nansum(calls[len(calls) - n * _WEEK :][:_WEEK])) for n in (1, 2))
    if len(calls) < 2 * _WEEK or not last or not before:
        return 1.0
    try:
        ahead = forecast_hours(calls, moment_of(hours.end * 60), timezone, _DAY)
    except TooLittleHistory:
        return 1.0
    then = np.nanmean([calls[len(calls) - n * _WEEK :][:_DAY] for n in (1, 2)], axis=0)
    usual = float(np.nansum(then))
    if not usual:
        return 1.0
    apart = abs(last - before) / (last + before)
    return float(np.clip(float(np.nansum(ahead.expected)) / usual, 1 - apart, 1 + apart))


def _usual(used: Floats, of_day: NDArray[np.int64], kinds: tuple[int, ...], among: NDArray[np.bool_]) -> Floats:
    """Return the mean share of each hour of the week over the days of its kind among `among`, [environments, 168]."""
    week = np.full((len(used), 7, _DAY), np.nan)
    for kind in set(kinds):
        some = used[:, among & (of_day == kind)]
        known = ~np.isnan(some)
        counts = known.sum(axis=1)
        mean = np.where(counts > 0, np.where(known, some, 0.0).sum(axis=1) / np.maximum(counts, 1), np.nan)
        week[:, np.array(kinds) == kind] = mean[:, None]
    return week.reshape(len(used), _WEEK)


_HOUR = 60


def scheduled_minimum(used: Floats, *, least_utilisation: float, floor: int = 0) -> tuple[int, ...]:
    """Return the environments to hold in each hour: each further one through the hours in which it is busy enough.

    used: [environments, hours], the share of each hour in which the first, second, ... environment is expected to be
    busy; NaN for not known, which holds nothing. The last hour comes before the first: the week repeats.
    least_utilisation: the share of busy time from which an environment is worth its price (the break-even, or less
    where the policy buys latency). It is above 1 where use alone never pays; avoided cold starts may still. floor:
    environments that are always held. Starting an environment costs its price until it is ready, so that none is
    released for an hour only to be started again.
    """
    if not 0 < least_utilisation < math.inf:
        raise ValueError(f"least_utilisation must be above 0 and finite, not {least_utilisation}")
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
