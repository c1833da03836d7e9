"""Replay pings minute by minute over a known need of environments. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from optimizer.traffic import DAY_MINUTES, Floats, same_time_on_other_days

# (minute, environments); the caller decides from where minutes count.
type Pings = Sequence[tuple[int, int]]

_REPLAYED_DAYS = 14


@dataclass(frozen=True, slots=True)
class WarmupReplay:
    """Numbers of environments in each minute."""

    # Started by calls.
    cold: Floats
    # Warm and not needed.
    idle: Floats
    # Started by pings.
    cold_pings: Floats


def replay(need: Floats, pings: Pings, keep_alive_minutes: int) -> WarmupReplay:
    """Replay the pings over a need.

    need: environments in each minute; NaN (unknown) counts as none. An environment stays warm for `keep_alive_minutes`
    after its last use or ping. A ping is sent at any second of its minute, so it counts from the next minute on.
    """
    needed = np.nan_to_num(need)
    pinged = np.zeros(len(needed))
    for minute, environments in pings:
        if 0 <= minute < len(pinged):
            pinged[minute] = max(pinged[minute], environments)
    used = np.maximum(needed, pinged)
    # Environments are warm from before up to the most that were used in any of the last minutes.
    before = np.concatenate((np.zeros(keep_alive_minutes), used))[: len(used) + keep_alive_minutes - 1]
    kept = sliding_window_view(before, keep_alive_minutes).max(1) if len(used) else used
    return WarmupReplay(
        cold=np.maximum(needed - kept, 0), idle=np.maximum(kept - needed, 0), cold_pings=np.maximum(pinged - kept, 0)
    )


@dataclass(frozen=True, slots=True)
class PastDays:
    """The pings of a plan replayed on past days: one total for each day."""

    cold_without: Floats
    cold_with: Floats
    cold_pings: Floats
    idle: Floats

    @property
    def days(self) -> int:
        """The number of days that were known well enough to replay."""
        return len(self.cold_without)


def replay_past_days(
    need: Floats, start: int, pings: Pings, zone: ZoneInfo, horizon_minutes: int, keep_alive_minutes: int
) -> PastDays:
    """Replay the same pings at the same local times on up to 14 earlier days."""
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
        # The window begins earlier, so that environments that were already warm count.
        window = need[begin - keep_alive_minutes : end]
        moved = list(zip((then - start - begin + keep_alive_minutes).tolist(), counts, strict=True))
        day = slice(keep_alive_minutes, None)
        without, with_pings = (replay(window, sent, keep_alive_minutes) for sent in ((), moved))
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
