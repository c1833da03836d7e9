"""What warming does, replayed minute by minute over a need that is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.traffic import DAY_MINUTES, Floats, same_time_on_other_days

type Pings = tuple[tuple[int, int], ...]

_REPLAYED_DAYS = 14


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


@dataclass(frozen=True, slots=True)
class PastDays:
    """The plan's pings played on each of the past days: totals of each day."""

    cold_without: Floats
    cold_with: Floats
    cold_pings: Floats
    idle: Floats

    @property
    def days(self) -> int:
        """How many days were known well enough."""
        return len(self.cold_without)


def replay_past_days(
    need: Floats, start: int, pings: Pings, zone: ZoneInfo, horizon_minutes: int, keep_alive_minutes: int
) -> PastDays:
    """As if the same pings, at the same local times, had been sent on earlier days."""
    at = np.array([minute for minute, _ in pings])
    counts = [environments for _, environments in pings]
    rows = []
    ahead = max(0, int(at[0]) - start - len(need)) // DAY_MINUTES + 1
    for age in range(ahead, ahead + _REPLAYED_DAYS):
        then = same_time_on_other_days(zone, at, -age)
        begin, end = int(then[0]) - start, int(then[0]) - start + horizon_minutes
        if begin < keep_alive_minutes:
            break
        if end > len(need) or np.isnan(need[begin:end]).mean() > 0.5:
            continue
        # The minutes before, so that what was warm already counts.
        window = need[begin - keep_alive_minutes : end]
        moved = list(zip((then - start - begin + keep_alive_minutes).tolist(), counts, strict=True))
        day = slice(keep_alive_minutes, None)
        without, with_pings = (
            replay(window, (), keep_alive_minutes),
            replay(window, moved, keep_alive_minutes),
        )
        rows.append(
            (
                without.cold[day].sum(),
                with_pings.cold[day].sum(),
                with_pings.cold_pings.sum(),
                with_pings.idle[day].sum() - without.idle[day].sum(),
            )
        )
    if not rows:
        return PastDays(*(np.zeros(1) for _ in range(4)))
    return PastDays(*np.array(rows, np.float64).T)
