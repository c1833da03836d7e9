"""How likely every minute ahead is to be short of an environment, from the same function's past.

A past minute is one observation: what it needed and what was still warm. Which past minutes speak for a minute ahead
is the question, and different functions answer it differently: the very same minute of the day (a schedule), the
minutes around it (a daily season), the same minute of neighbouring hours (a schedule that wanders) or any minute
(no season). Each answer is a Neighbourhood. One more says how the time of day and the minute of the hour go together:
as if each raised or lowered the chances by itself. A forecast is the weighted mean of these members.
"""

from dataclasses import dataclass

import numpy as np

from optimizer.traffic.forecast.demand import Levels, Reals
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

# Of NEIGHBOURHOODS: the time of day, the minute of the hour, and neither.
_SEASON, _PHASE, _ANY = 3, 5, 8
MEMBERS = len(NEIGHBOURHOODS) + 1

# The weight of a day halves every ten days.
DAY_DECAY = 0.5 ** (1 / 10)
BACK_TEST_DAYS = 4
# Every eleventh minute is tested: no part of an hour is left out, since 11 and 60 have no factor in common.
SAMPLE_MINUTES = 11
# A forecast of never is one of a minute in a week.
LEAST_LIKELIHOOD = 1e-4
ROUNDS = 60
# What stays on all alike: the next days may differ from those tested, and it is the unlikely that is planned for.
KEPT_EQUAL = 0.2


@dataclass(frozen=True, slots=True)
class PastDayTables:
    """Observations by age in days and local minute of the day: [days, 1440], NaN where nothing is known.
    Row 0 is the last 24 hours."""

    needed: Reals
    warm: Reals

    @classmethod
    def of(cls, needed: Reals, warm: Reals, local_minutes: Ints, local_now: int) -> "PastDayTables":
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


def day_tables(past: PastDayTables, levels: Levels) -> Reals:
    """What every past minute says of every level: [days, 1440, 2 levels + 1] with the share of each level's
    environments that were short, then the share that nothing used, then 1; all 0 where nothing is known."""
    known = ~(np.isnan(past.needed) | np.isnan(past.warm))
    needed, warm = np.nan_to_num(past.needed), np.nan_to_num(past.warm)
    size = levels.high - levels.low
    count = len(size)
    tables = np.empty((*known.shape, 2 * count + 1), np.float32)
    tables[:, :, :count] = 0
    short = needed > warm
    tables[short, :count] = levels.cold(needed[short], warm[short]) / size
    np.divide(levels.unused(needed, warm), size, out=tables[:, :, count:-1])
    tables[:, :, -1] = 1
    if not known.all():
        tables[~known] = 0
    return tables


def mean_tables(tables: Reals, weights: Reals, minutes: Ints) -> Reals:
    """Forecast for local `minutes` of the day: the mean over all days (`tables`, newest first, each counting less
    than the one after it) as each member sees it, mixed by `weights`, which sum to one. [minutes, 2 levels].
    """
    total = np.zeros(tables.shape[1:])
    for day in tables[::-1]:
        total *= DAY_DECAY
        total += day
    mixed = np.zeros((len(minutes), total.shape[1] - 1), np.float32)
    for weight, shares in zip(weights, _members(total, minutes), strict=True):
        mixed += np.float32(weight) * shares
    return mixed


def fitted_weights(tables: Reals) -> Reals:
    """How far to trust each member, from its forecasts of the last BACK_TEST_DAYS days by the days before.

    Each minute and level of a tested day came out short, unused or neither; the weights raise the likelihood of
    that under the mixture, by expectation maximisation from equal weights. It stops after a few rounds: what a few
    days cannot tell apart stays mixed. Equal weights where there are no two days.
    """
    count = MEMBERS
    levels = tables.shape[2] // 2
    minutes = np.arange(0, DAY_MINUTES, SAMPLE_MINUTES)
    total = np.zeros(tables.shape[1:])
    rows = []
    for age in range(len(tables) - 1, 0, -1):
        total *= DAY_DECAY
        total += tables[age]
        if age > BACK_TEST_DAYS:
            continue
        came = tables[age - 1, minutes]
        known = came[:, -1] > 0
        short, unused = came[known, :levels], came[known, levels:-1]
        forecast = _members(total, minutes)[:, known]
        to_be_short, to_be_unused = forecast[:, :, :levels], forecast[:, :, levels:]
        neither = 1 - to_be_short - to_be_unused
        likelihood = short * to_be_short + unused * to_be_unused + (1 - short - unused) * neither
        rows.append(likelihood.reshape(count, -1))
    weights = np.full(count, 1 / count)
    if not rows:
        return weights
    likely = np.maximum(np.concatenate(rows, axis=1), LEAST_LIKELIHOOD)
    likely = likely[:, likely.min(axis=0) < 1 - LEAST_LIKELIHOOD]
    for _ in range(ROUNDS if likely.size else 0):
        weights = weights * (likely @ (1 / (weights.astype(np.float32) @ likely))) / likely.shape[1]
    return KEPT_EQUAL / count + (1 - KEPT_EQUAL) * weights


def _members(total: Reals, minutes: Ints) -> Reals:
    """What each member says of `minutes` of the day: [members, minutes, columns - 1], from sums over days
    [1440, columns] whose last column is the weight of what is known."""
    # A minute of the day that was never seen is as the average minute.
    total = total + total.sum(axis=0) * (1e-6 / DAY_MINUTES)
    said = np.empty((MEMBERS, len(minutes), total.shape[1] - 1), np.float32)
    for index, near in enumerate(NEIGHBOURHOODS):
        sums = _around(total, near, minutes)
        np.divide(sums[:, :-1], np.maximum(sums[:, -1:], 1e-12), out=said[index], casting="same_kind")
    said[-1] = _together(said[_SEASON], said[_PHASE], said[_ANY, :1])
    return said


def _together(season: Reals, phase: Reals, usual: Reals) -> Reals:
    """Chances that the season and the phase raise or lower independently: p(season) p(phase) / p, scaled to sum to
    one over short, unused and neither."""
    levels = season.shape[1] // 2
    raised = season * phase
    raised *= 1 / np.maximum(usual, 1e-9)
    whole = _neither(season)
    whole *= _neither(phase)
    whole *= 1 / np.maximum(_neither(usual), 1e-9)
    whole += raised[:, :levels]
    whole += raised[:, levels:]
    scale = 1 / np.maximum(whole, 1e-12)
    raised[:, :levels] *= scale
    raised[:, levels:] *= scale
    return raised


def _neither(shares: Reals) -> Reals:
    levels = shares.shape[1] // 2
    neither = 1 - shares[:, :levels]
    neither -= shares[:, levels:]
    return np.maximum(neither, 0, out=neither)


def _around(total: Reals, near: Neighbourhood, minutes: Ints) -> Reals:
    """Sums over the neighbourhood of each of `minutes` on the circle of the day."""
    if near.cycles is None:
        total = total.reshape(-1, near.cycle_minutes, total.shape[1]).sum(axis=0)
    length = len(total)
    if 2 * near.reach + 1 > length:
        return np.broadcast_to(total.sum(axis=0), (len(minutes), total.shape[1]))
    centres = (minutes + near.cycle_minutes * np.arange(-(near.cycles or 0), (near.cycles or 0) + 1)[:, None]) % length
    if not near.reach:
        return np.asarray(total[centres].sum(axis=0))
    padded = np.concatenate([np.zeros_like(total[:1]), total[length - near.reach :], total, total[: near.reach]])
    sums = np.cumsum(padded, axis=0)
    return np.asarray((sums[centres + 2 * near.reach + 1] - sums[centres]).sum(axis=0))
