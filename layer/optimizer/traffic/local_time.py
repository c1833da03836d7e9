"""Convert arrays of minutes since 1970 to local civil time."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.history import DAY_MINUTES

type Ints = NDArray[np.int64]

# Everywhere, clocks change at a quarter of an hour.
_QUARTER = 15


def offsets_minutes(zone: ZoneInfo, minutes: Ints) -> Ints:
    """Return the minutes to add to each minute since 1970 to get local civil time."""
    quarters, where = np.unique(minutes // _QUARTER, return_inverse=True)
    return np.array([_offset(zone.key, int(quarter)) for quarter in quarters], np.int64)[where]


def local_hours(zone: ZoneInfo, hours: Ints) -> Ints:
    """Return the local hour of each hour since 1970, with the offset rounded down to whole hours."""
    return hours + offsets_minutes(zone, hours * 60) // 60


def same_time_on_other_days(zone: ZoneInfo, minutes: Ints, days: int) -> Ints:
    """Return the minutes with the same local time `days` days later (negative: earlier).

    A local time that a day skips, because clocks go forward, becomes one hour later. A local time that a day has twice
    is returned once.
    """
    wanted = minutes + offsets_minutes(zone, minutes) + days * DAY_MINUTES
    guess = wanted - offsets_minutes(zone, minutes)
    return wanted - offsets_minutes(zone, guess)


@lru_cache(maxsize=16384)
def _offset(zone_key: str, quarter: int) -> int:
    offset = datetime.fromtimestamp(quarter * _QUARTER * 60, ZoneInfo(zone_key)).utcoffset()
    assert offset is not None  # noqa: S101  a zone from the database always has one
    return int(offset.total_seconds() // 60)
