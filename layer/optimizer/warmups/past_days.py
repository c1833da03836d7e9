"""A plan's pings played on the days that are known."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic import DAY_MINUTES, Floats, same_time_on_other_days
from optimizer.warmups.replay import replay

type Pings = tuple[tuple[int, int], ...]

_REPLAYED_DAYS = 14


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


def past_days(
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
