"""Minutes since 1970 and local civil time, for whole arrays."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.history import DAY_MINUTES

type Ints = NDArray[np.int64]

# Clocks change on a quarter of an hour everywhere.
_QUARTER = 15


def offsets_minutes(zone: ZoneInfo, minutes: Ints) -> Ints:
    """What to add to each minute since 1970 for local civil time."""
    quarters, where = np.unique(minutes // _QUARTER, return_inverse=True)
    return np.array([_offset(zone.key, int(quarter)) for quarter in quarters], np.int64)[where]


def same_time_on_other_days(zone: ZoneInfo, minutes: Ints, days: int) -> Ints:
    """The minutes with the same local time so many days later (negative: earlier). A local time that a day does
    not have, because clocks went forward, is taken an hour later; one that it has twice, once."""
    wanted = minutes + offsets_minutes(zone, minutes) + days * DAY_MINUTES
    guess = wanted - offsets_minutes(zone, minutes)
    return wanted - offsets_minutes(zone, guess)


@lru_cache(maxsize=16384)
def _offset(zone_key: str, quarter: int) -> int:
    offset = datetime.fromtimestamp(quarter * _QUARTER * 60, ZoneInfo(zone_key)).utcoffset()
    assert offset is not None  # noqa: S101  a zone from the database always has one
    return int(offset.total_seconds() // 60)
