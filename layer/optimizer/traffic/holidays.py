"""Exchange days of a history so that a plan for a holiday learns from Sundays and a plan for an ordinary day does not
learn from holidays. Pure."""

from collections.abc import Collection
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.history import DAY_MINUTES, Ints, Series, offsets_minutes

_EPOCH = date(1970, 1, 1).toordinal()
# The last minutes stay as they were, because they decide which environments are warm now.
_UNCHANGED_MINUTES = 60


def exchange_holidays(minutes: Series, zone: ZoneInfo, holidays: Collection[date]) -> Series:
    """Return the minute series with some of its days replaced by others, for a plan that begins at its end.

    Each minute stands for its time of day on the next day. If that day is a holiday, minutes of ordinary days are
    replaced by those of the nearest Sunday or holiday. If it is not, minutes of holidays are replaced by those of the
    same weekday a week earlier or later. Minutes without such a day stay as they are.
    """
    if not holidays or not len(minutes):
        return minutes
    numbers = minutes.start + np.arange(len(minutes) + 1)
    local_and_next = numbers + offsets_minutes(zone, numbers)
    local, ahead = local_and_next[:-1], int(local_and_next[-1])
    day, of_day = local // DAY_MINUTES, local % DAY_MINUTES
    day_ahead = ahead // DAY_MINUTES + (of_day < ahead % DAY_MINUTES)
    holiday_numbers = np.array(sorted(on.toordinal() - _EPOCH for on in holidays))
    to_holiday = np.isin(day_ahead, holiday_numbers)
    days = np.arange(day.min(), day.max() + 1)
    is_rest = np.isin(days, holiday_numbers) | ((days + 3) % 7 == 6)
    shift = np.zeros(len(local), np.int64)
    first = int(days[0])
    shift[to_holiday] = (_nearest(days, is_rest) - days)[day[to_holiday] - first]
    shift[~to_holiday] = _week_apart(days, holiday_numbers)[day[~to_holiday] - first]
    shift[-_UNCHANGED_MINUTES:] = 0
    source = _places(local, local + shift * DAY_MINUTES)
    return Series(minutes.start, {name: values[source] for name, values in minutes.values.items()})


def _nearest(days: Ints, is_rest: NDArray[np.bool_]) -> Ints:
    """Return the nearest day of rest for each day, the earlier of two; the day itself if there is none."""
    candidates = days[is_rest]
    if not len(candidates):
        return days
    return np.asarray(candidates[np.abs(days[:, None] - candidates).argmin(axis=1)])


def _week_apart(days: Ints, holidays: Ints) -> Ints:
    """Return the distance in days to the day that replaces each day: a week for a holiday, 0 for an ordinary day.

    A holiday without an ordinary day a week apart keeps 0.
    """
    shift = np.zeros(len(days), np.int64)
    for index, day in enumerate(days.tolist()):
        if day in holidays:
            ordinary = (by for by in (-7, 7) if days[0] <= day + by <= days[-1] and day + by not in holidays)
            shift[index] = next(ordinary, 0)
    return shift


def _places(local: Ints, wanted: Ints) -> Ints:
    """Return the index of each wanted local minute in the series; its own index if the series lacks that minute."""
    base = int(min(local.min(), wanted.min()))
    index_of = np.full(int(max(local.max(), wanted.max())) - base + 1, -1)
    index_of[local - base] = np.arange(len(local))
    found = index_of[wanted - base]
    return np.where(found >= 0, found, np.arange(len(local)))
