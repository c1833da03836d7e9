"""Days before and after holidays: how much busier they are than other days like them."""

import numpy as np

from optimizer.traffic.forecast.day_kinds import SATURDAY, DayKinds
from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.history import Ints

_DAY, _NOON = 24, 12
# So many cold starts, and so many days as expected, count beside those that were seen.
_FEW_COLD_STARTS, _FEW_DAYS = 3.0, 1.0
_LEAST, _MOST = 0.2, 5.0


def factors_near_holidays(local: Ints, days: DayKinds, cold: Reals, expected: Reals, known: Reals) -> Reals:
    """Return for each hour how its cold starts compare with those expected, 1 for hours that are near no holiday.

    local: local hours since 1970, the known ones first. cold, expected: of each known hour, over all levels. The
    morning and the afternoon of a working day before a holiday, and of one after it, are compared with those before.
    """
    factors = np.ones(len(local))
    if not days.holidays:
        return factors
    day, afternoon, past = local // _DAY, local % _DAY >= _NOON, len(cold)
    works = days.weekdays(day) < SATURDAY
    for distance in (1, -1):
        near = works & np.isin(day + distance, list(days.holidays))
        for half in (False, True):
            some = near & (afternoon == half)
            seen = some[:past] & (known > 0)
            if some[past:].any() and seen.any():
                factors[some] = _factor(cold[seen], expected[seen], len(np.unique(day[:past][seen])))
    # Past hours keep what was expected of them.
    factors[:past] = 1
    return factors


def _factor(cold: Reals, expected: Reals, days: int) -> float:
    doubt = _FEW_COLD_STARTS + float(expected.sum()) * _FEW_DAYS / days
    return float(np.clip((float(cold.sum()) + doubt) / (float(expected.sum()) + doubt), _LEAST, _MOST))
