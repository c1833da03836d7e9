"""A plain warm-up plan: what was usual at this time of day and week, pinged a little before and kept warm."""

from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic.history import Floats
from optimizer.traffic.need import usual_need


def usual_pings(
    need: Floats,
    start_minute: int,
    first_minute: int,
    end_minute: int,
    zone: ZoneInfo,
    *,
    keep_alive_minutes: int,
    lead_minutes: int,
    idle_minutes_per_cold_start: float,
    most_environments: int,
) -> tuple[tuple[int, int], ...]:
    """Pings (minute since 1970, environments) from `first_minute` to `end_minute`, not included.

    need: environments a minute from `start_minute` on. Environments are refreshed `lead_minutes` before they would
    go cold. The n-th one is worth keeping for the `step` minutes until the next ping if the chance p that it is
    needed satisfies p * idle_minutes_per_cold_start >= step: n is the quantile 1 - step / idle_minutes_per_cold_start.
    """
    step = max(1, keep_alive_minutes - lead_minutes)
    quantile = 1 - step / idle_minutes_per_cold_start if idle_minutes_per_cold_start > 0 else 0.0
    at = np.arange(first_minute, end_minute, step)
    if quantile <= 0 or not len(at):
        return ()
    usual = usual_need(need, start_minute, at, zone, (quantile,), after=step + lead_minutes)[0]
    counts = np.minimum(np.nan_to_num(usual), most_environments).astype(int)
    return tuple((int(minute), int(count)) for minute, count in zip(at, counts, strict=True) if count > 0)
