"""Forecast for each minute ahead how likely it is short of an environment, from the past of the same function.

A past minute is one observation: the environments it needed and those that were still warm. Functions differ in which
past minutes resemble a minute ahead: the same minute of the day (a schedule), the minutes around it (a daily season),
the same minute of neighbouring hours (a schedule that drifts), or any minute (no season). Each of these choices is a
Neighbourhood. One more member treats the time of day and the minute of the hour as independent. A forecast is the
weighted mean of these members.
"""

from dataclasses import dataclass

import numpy as np

from optimizer.traffic.forecast.demand import Levels, Reals
from optimizer.traffic.history import DAY_MINUTES, Ints


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The minutes of the day that resemble a given minute."""

    # Minutes before and after the same minute of a cycle.
    reach: int
    cycle_minutes: int = DAY_MINUTES
    # Cycles before and after the time of day; None means all cycles of the day.
    cycles: int | None = 0


# From the single minute to the whole day, each about three times as wide as the one before. Hours and half hours have
# neighbourhoods of their own, because most schedules are written in them.
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

# Positions in NEIGHBOURHOODS of the time of day, the minute of the hour, and any minute.
_SEASON, _PHASE, _ANY = 3, 5, 8
MEMBERS = len(NEIGHBOURHOODS) + 1

# The weight of a day halves in ten days.
DAY_DECAY = 0.5 ** (1 / 10)
BACK_TEST_DAYS = 4
# Every eleventh minute is tested. 11 and 60 have no common factor, so every minute of the hour takes part.
SAMPLE_MINUTES = 11
# The least probability of a forecast is about one minute in a week.
LEAST_LIKELIHOOD = 1e-4
ROUNDS = 60
# This share of the weight is spread equally: the next days may differ from the tested ones, and plans are made for
# unlikely minutes.
KEPT_EQUAL = 0.2


@dataclass(frozen=True, slots=True)
class PastDayTables:
    """Observations by age in days and local minute of the day: [days, 1440], NaN if unknown. Row 0 is the last 24
    hours."""

    needed: Reals
    warm: Reals

    @classmethod
    def of(cls, needed: Reals, warm: Reals, local_minutes: Ints, local_now: int) -> "PastDayTables":
        """Return the tables of a series, given the local minute of each of its minutes and the one after the last.

        An hour that clocks skip stays unknown; of a repeated hour the later values are kept.
        """
        age = (local_now - 1 - local_minutes) // DAY_MINUTES
        days = int(age.max()) + 1 if len(age) else 0
        grid = np.full((2, days, DAY_MINUTES), np.nan, np.float32)
        of_day = local_minutes % DAY_MINUTES
        inside = age >= 0
        grid[:, age[inside], of_day[inside]] = needed[inside], warm[inside]
        return cls(*grid)


def day_tables(past: PastDayTables, levels: Levels) -> Reals:
    """Return the observation of each past minute for each level: [days, 1440, 2 levels + 1].

    The columns are the share of each level's environments that were short, the share that nothing used, and 1. All
    columns of an unknown minute are 0.
    """
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
    """Return the forecast for local `minutes` of the day: [minutes, 2 levels].

    Each member takes a mean over all days of `tables` (newest first, older days weigh less). The means are mixed by
    `weights`, which sum to one.
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
    """Return the weight of each member, from its forecasts of the last BACK_TEST_DAYS days by the days before them.

    Each minute and level of a tested day was short, unused or neither. Expectation maximisation from equal weights
    raises the likelihood of these outcomes under the mixture. It stops after ROUNDS rounds, so members that a few days
    cannot tell apart stay mixed. With fewer than two days the weights are equal.
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
        actual = tables[age - 1, minutes]
        known = actual[:, -1] > 0
        short, unused = actual[known, :levels], actual[known, levels:-1]
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
    """Return the forecast of each member for `minutes` of the day: [members, minutes, columns - 1].

    total: sums over days [1440, columns]; the last column is the weight of the known days.
    """
    # A minute of the day that was never observed takes the average of all minutes.
    total = total + total.sum(axis=0) * (1e-6 / DAY_MINUTES)
    forecasts = np.empty((MEMBERS, len(minutes), total.shape[1] - 1), np.float32)
    for index, near in enumerate(NEIGHBOURHOODS):
        sums = _around(total, near, minutes)
        np.divide(sums[:, :-1], np.maximum(sums[:, -1:], 1e-12), out=forecasts[index], casting="same_kind")
    forecasts[-1] = _independent(forecasts[_SEASON], forecasts[_PHASE], forecasts[_ANY, :1])
    return forecasts


def _independent(season: Reals, phase: Reals, usual: Reals) -> Reals:
    """Return the probabilities if season and phase act independently: p(season) p(phase) / p(usual).

    They are scaled so that short, unused and neither sum to one.
    """
    levels = season.shape[1] // 2
    raised = season * phase
    raised *= 1 / np.maximum(usual, 1e-9)
    total = _neither(season)
    total *= _neither(phase)
    total *= 1 / np.maximum(_neither(usual), 1e-9)
    total += raised[:, :levels]
    total += raised[:, levels:]
    scale = 1 / np.maximum(total, 1e-12)
    raised[:, :levels] *= scale
    raised[:, levels:] *= scale
    return raised


def _neither(shares: Reals) -> Reals:
    levels = shares.shape[1] // 2
    neither = 1 - shares[:, :levels]
    neither -= shares[:, levels:]
    return np.maximum(neither, 0, out=neither)


def _around(total: Reals, near: Neighbourhood, minutes: Ints) -> Reals:
    """Return the sums over the neighbourhood of each of `minutes`; the day is a circle."""
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
