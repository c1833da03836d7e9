"""History as it would be if its days had been like those ahead: a holiday is like a Sunday, and an ordinary day does
not learn from a holiday. Pure."""

from collections.abc import Collection
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.history import DAY_MINUTES, Series
from optimizer.traffic.local_time import Ints, offsets_minutes

_EPOCH = date(1970, 1, 1).toordinal()
# What is warm right now comes from what really was.
_AS_THEY_WERE = 60


def exchange_holidays(minutes: Series, zone: ZoneInfo, holidays: Collection[date]) -> Series:
    """The minute series with days exchanged for others of its own, for a plan that begins where it ends.

    Each minute belongs to the next day that has its time of day. If that is a holiday, minutes of days that are neither
    Sundays nor holidays become those of the nearest Sunday or holiday; if not, minutes of holidays become those of the
    same weekday a week earlier or later. Where there is no such day, they stay.
    """
    if not holidays or not len(minutes):
        return minutes
    numbers = minutes.start + np.arange(len(minutes) + 1)
    local_and_next = numbers + offsets_minutes(zone, numbers)
    local, ahead = local_and_next[:-1], int(local_and_next[-1])
    day, of_day = local // DAY_MINUTES, local % DAY_MINUTES
    day_ahead = ahead // DAY_MINUTES + (of_day < ahead % DAY_MINUTES)
    free = np.array(sorted(on.toordinal() - _EPOCH for on in holidays))
    to_holiday = np.isin(day_ahead, free)
    days = np.arange(day.min(), day.max() + 1)
    rest = np.isin(days, free) | ((days + 3) % 7 == 6)
    shift = np.zeros(len(local), np.int64)
    first = int(days[0])
    shift[to_holiday] = (_nearest(days, rest) - days)[day[to_holiday] - first]
    shift[~to_holiday] = _week_apart(days, free)[day[~to_holiday] - first]
    shift[-_AS_THEY_WERE:] = 0
    source = _places(local, local + shift * DAY_MINUTES)
    return Series(minutes.start, {name: values[source] for name, values in minutes.values.items()})


def _nearest(days: Ints, rest: NDArray[np.bool_]) -> Ints:
    """For each day the nearest day of rest, the earlier of two; itself where there is none."""
    candidates = days[rest]
    if not len(candidates):
        return days
    return np.asarray(candidates[np.abs(days[:, None] - candidates).argmin(axis=1)])


def _week_apart(days: Ints, free: Ints) -> Ints:
    """How far the day is that stands for each: 0 for itself, a week for a holiday, if that is no holiday, too."""
    shift = np.zeros(len(days), np.int64)
    for place, one in enumerate(days.tolist()):
        if one in free:
            ordinary = (by for by in (-7, 7) if days[0] <= one + by <= days[-1] and one + by not in free)
            shift[place] = next(ordinary, 0)
    return shift


def _places(local: Ints, wanted: Ints) -> Ints:
    """Where in the series each wanted local minute is; its own place where the series has no such minute."""
    base = int(min(local.min(), wanted.min()))
    where = np.full(int(max(local.max(), wanted.max())) - base + 1, -1)
    where[local - base] = np.arange(len(local))
    found = where[wanted - base]
    return np.where(found >= 0, found, np.arange(len(local)))
