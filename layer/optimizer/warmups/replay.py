"""What warming does, replayed minute by minute over a need that is known."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.traffic import Floats


@dataclass(frozen=True, slots=True)
class WarmupReplay:
    """For each minute: environments that had to be started for calls, that were warm without being needed, and
    that a ping had to start."""

    cold: Floats
    idle: Floats
    cold_pings: Floats


def replay(need: Floats, pings: Iterable[tuple[int, int]], keep_alive_minutes: int) -> WarmupReplay:
    """need: environments a minute, NaN (not known) taken as none. pings: (index of the minute, environments).

    An environment stays warm for `keep_alive_minutes` after its last use or ping. A ping comes before the calls of
    its minute.
    """
    needed = np.nan_to_num(need)
    pinged = np.zeros(len(needed))
    for minute, environments in pings:
        if 0 <= minute < len(pinged):
            pinged[minute] = max(pinged[minute], environments)
    used = np.maximum(needed, pinged)
    # Warm from before: the most that were used in any of the last minutes.
    before = np.concatenate((np.zeros(keep_alive_minutes), used))[: len(used) + keep_alive_minutes - 1]
    kept = sliding_window_view(before, keep_alive_minutes).max(1) if len(used) else used
    warm = np.maximum(kept, pinged)
    return WarmupReplay(
        cold=np.maximum(needed - warm, 0), idle=np.maximum(warm - needed, 0), cold_pings=np.maximum(pinged - kept, 0)
    )
