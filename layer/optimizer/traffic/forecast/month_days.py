"""First and last days of a month: jobs that run on them and on no other day."""

from datetime import date, timedelta

import numpy as np

from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import Ints

_DAY = 24
_EPOCH = date(1970, 1, 1)
# How much likelier earlier such days must make a later one: this much (as a logarithm), and this much for each cold
# start, because busy functions differ from day to day by more than chance.
_LIKELIER, _LIKELIER_EACH = 3.0, 0.25
_TINY = 1e-6


def with_month_days(local: Ints, cold: Reals, known: Reals, expected: Reals) -> Reals:
    """Return what is expected, where first or last days of months follow earlier ones if these resemble each other.

    local: local hours since 1970, the known ones first. cold, known: of the known hours. expected: [hours, levels].
    """
    days, past = local // _DAY, len(cold)
    result = expected.copy()
    for is_one in (_is_first, _is_last):
        chosen = np.array([is_one(_EPOCH + timedelta(days=int(day))) for day in np.unique(days)])
        marked = np.isin(days, np.unique(days)[chosen])
        if not marked[past:].any():
            continue
        # [such days, 24, levels] of the past; hours that are not known count as expected.
        seen = [day for day in np.unique(days[:past][marked[:past]]) if known[days[:past] == day].sum() == _DAY]
        if len(seen) < 2:
            continue
        rows = [np.flatnonzero(days[:past] == day)[np.argsort(local[:past][days[:past] == day])] for day in seen]
        happened, before = (np.stack([each[row] for row in rows]) for each in (cold, expected[:past]))
        if _is_likelier(happened.sum(axis=2), before.sum(axis=2)):
            for hour in np.flatnonzero(marked[past:]) + past:
                of_day = local[hour] % _DAY
                result[hour] = (happened[:, of_day].sum(axis=0) + expected[hour]) / (len(seen) + 1)
    return result


def _is_likelier(happened: Reals, expected: Reals) -> bool:
    """Return True if each such day is likelier from the ones before it than from what was expected: [days, 24]."""
    gain = 0.0
    for number in range(1, len(happened)):
        other = (happened[:number].sum(axis=0) + expected[number]) / (number + 1)
        ratio = np.log((other + _TINY) / (expected[number] + _TINY))
        gain += float((happened[number] * ratio - (other - expected[number])).sum())
    return gain > _LIKELIER + _LIKELIER_EACH * float(happened[1:].sum())


def _is_first(day: date) -> bool:
    return day.day == 1


def _is_last(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1
