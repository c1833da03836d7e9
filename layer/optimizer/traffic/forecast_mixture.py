"""How likely every minute ahead is to be short of an environment, from the same function's past.

A past minute is one observation: what it needed and what was still warm. Which past minutes speak for a minute ahead
is the question, and different functions answer it differently: the very same minute of the day (a schedule), the
minutes around it (a daily season), the same minute of neighbouring hours (a schedule that wanders) or any minute
(no season). Each answer is a Neighbourhood; a forecast is their weighted mean.
"""

from dataclasses import dataclass

import numpy as np

from optimizer.traffic.forecast_demand import Levels, Reals
from optimizer.traffic.history import DAY_MINUTES
from optimizer.traffic.local_time import Ints


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Minutes that speak for one: `reach` minutes around the same minute of up to `cycles` cycles of
    `cycle_minutes` before and after the time of day. `cycles=None`: all through the day."""

    reach: int
    cycle_minutes: int = DAY_MINUTES
    cycles: int | None = 0


# From the very minute to the whole day, each about three times as wide as the last; along the hour, because that
# is what schedules are written in, and along the half hour, the commonest part of it.
NEIGHBOURHOODS = (
    Neighbourhood(0),
    Neighbourhood(2),
    Neighbourhood(7),
    Neighbourhood(30),
    Neighbourhood(0, 60, 2),
    Neighbourhood(0, 60, None),
    Neighbourhood(2, 60, None),
    Neighbourhood(0, 30, 3),
    Neighbourhood(DAY_MINUTES // 2),
)


@dataclass(frozen=True, slots=True)
class PastDays:
    """Observations by age in days and local minute of the day: [days, 1440], NaN where nothing is known.
    Row 0 is the last 24 hours."""

    needed: Reals
    warm: Reals

    @classmethod
    def of(cls, needed: Reals, warm: Reals, local_minutes: Ints, local_now: int) -> "PastDays":
        """From a series and the local minute of each of its minutes; `local_now` follows the last.

        An hour that clocks skip stays unknown; of one that they repeat, the later is kept.
        """
        age = (local_now - 1 - local_minutes) // DAY_MINUTES
        days = int(age.max()) + 1 if len(age) else 0
        grid = np.full((2, days, DAY_MINUTES), np.nan, np.float32)
        of_day = local_minutes % DAY_MINUTES
        inside = age >= 0
        grid[:, age[inside], of_day[inside]] = needed[inside], warm[inside]
        return cls(*grid)


@dataclass(frozen=True, slots=True)
class DayProfile:
    """Expected shortage and surplus for each local minute of a day and level: [1440, levels] environments."""

    cold: Reals
    unused: Reals


def profile(past: PastDays, levels: Levels, day_weights: Reals, weights: Reals) -> DayProfile:
    """The mean of the past days as each Neighbourhood sees them, mixed by `weights` (they sum to one)."""
    known = ~np.isnan(past.needed)
    needed, warm = np.nan_to_num(past.needed), np.nan_to_num(past.warm)
    tables = np.concatenate(
        [levels.cold(needed, warm), levels.unused(needed, warm), np.ones((*known.shape, 1))], axis=2
    )
    tables *= (known * day_weights[:, None])[:, :, None]
    total = tables.sum(axis=0, dtype=np.float64)
    whole = total.sum(axis=0)
    if not whole[-1]:
        return DayProfile(*np.zeros((2, DAY_MINUTES, len(levels.high)), np.float32))
    # A minute of the day that was never seen is as the average minute.
    total += whole * (1e-6 / DAY_MINUTES)
    mixed = sum(w * _share(around(total, n)) for w, n in zip(weights, NEIGHBOURHOODS, strict=True) if w)
    cold, unused = np.split(np.asarray(mixed, np.float32), 2, axis=1)
    return DayProfile(cold, unused)


def _share(sums: Reals) -> Reals:
    return sums[:, :-1] / sums[:, -1:]


def around(total: Reals, near: Neighbourhood) -> Reals:
    """Sums over each minute's neighbourhood on the circle of the day; [1440, columns] like `total`."""
    if near.cycles is None:
        once = total.reshape(-1, near.cycle_minutes, total.shape[1]).sum(axis=0)
        return np.tile(_box(once, near.reach), (DAY_MINUTES // near.cycle_minutes, 1))
    out = total.copy()
    for cycle in range(1, near.cycles + 1):
        out += np.roll(total, cycle * near.cycle_minutes, axis=0) + np.roll(total, -cycle * near.cycle_minutes, axis=0)
    return _box(out, near.reach)


def _box(values: Reals, reach: int) -> Reals:
    if not reach:
        return values
    if 2 * reach + 1 >= len(values):
        return np.broadcast_to(values.sum(axis=0), values.shape)
    padded = np.concatenate([values[-reach:], values, values[:reach]])
    sums = np.zeros((len(padded) + 1, values.shape[1]))
    np.cumsum(padded, axis=0, out=sums[1:])
    return sums[2 * reach + 1 :] - sums[: -2 * reach - 1]
