"""Estimate how many calls of a function were in progress at once, from its calls and the peak of each hour."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optimizer.traffic.forecast.demand import Levels, Reals
from optimizer.traffic.history import Ints

HOUR = 60
# Shares of a minute's other calls that come at the very moment of a call, from none to all of them.
TOGETHER = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
# The chance that a model gives to a peak that it takes for impossible: measurements are never quite as modelled.
LEAST_CHANCE = 1e-4
# Logarithms of likelihoods that differ by less are as likely: half of the 95 % point of chi-squared.
_AS_LIKELY = 1.92
# A peak that calls at random reach less often says that they do not come at random.
_UNLIKELY = 0.05
# Numbers of calls a minute are rounded to three digits, to bound the work for functions with many calls.
_DISTINCT = 400


def highest_peak(calls: Reals, duration_ms: float, hour_peaks: Reals) -> int:
    """Return the most environments that any minute is expected to have needed, at least 1.

    calls: a minute. hour_peaks: the most calls in progress at once in each hour; all NaN if it was not measured.
    """
    if not np.isnan(hour_peaks).all():
        return max(1, int(np.nanmax(hour_peaks)))
    load = np.nanmax(calls, initial=0.0) * duration_ms / 60_000
    return max(1, int(min(np.nanmax(calls, initial=0.0), np.ceil(load + 4 * np.sqrt(load) + 1))))


def chance_of_peaks(calls: Reals, duration_ms: float, hour_peaks: Reals, levels: Levels) -> Reals:
    """Return the probability that each minute needed as many environments as each level: [minutes, levels].

    calls: a minute, whole hours, none unknown. hour_peaks: the most calls in progress at once in each of these hours;
    NaN if it was not measured.

    Calls arrive at random within a minute, so each of them meets a Poisson number of others that are in progress
    (Wolff, Poisson arrivals see time averages, 1982). Its mean is the load by Little's law, and a share of the minute's
    calls that come at the same moment. That share is the one of TOGETHER under which the measured peaks are most
    likely. In an hour whose peak was measured, the probabilities are conditional on it.
    """
    distinct, which = _distinct(calls)
    measured = ~np.isnan(hour_peaks)
    if not measured.any():
        return np.asarray(_chance(distinct, duration_ms, 0.0, levels)[which])
    models = _models(calls, distinct, which, duration_ms, hour_peaks, levels)
    _, _, table, in_hour = max(models, key=lambda model: model[0])
    # The probability of a minute, given that some minute of its hour reached the level.
    reached = np.nan_to_num(hour_peaks)[:, None] >= levels.middle
    given = np.where(measured[:, None], reached / in_hour, 1.0)
    chance = table[which].reshape(-1, HOUR, len(levels.high)) * given[:, None]
    return np.asarray(np.minimum(chance, 1.0, out=chance)).reshape(-1, len(levels.high))


@dataclass(frozen=True, slots=True)
class Together:
    """The share of a minute's other calls that come at the very moment of a call, by the peaks that were measured."""

    likely: float = 0.0
    # The end of the range that the peaks allow.
    most: float = 0.0


def calls_together(calls: Reals, duration_ms: float, hour_peaks: Reals) -> Together:
    """Return how calls come together. calls, hour_peaks: as for `chance_of_peaks`."""
    if not (~np.isnan(hour_peaks)).any() or not calls.any():
        return Together()
    levels = Levels.up_to(highest_peak(calls, duration_ms, hour_peaks))
    models = list(_models(calls, *_distinct(calls), duration_ms, hour_peaks, levels))
    best = max(models, key=lambda model: model[0])
    return Together(best[1], max(share for likelihood, share, _, _ in models if likelihood >= best[0] - _AS_LIKELY))


def usual_peaks(calls: Reals, duration_ms: float, most: int) -> Reals:
    """Return the most environments that each minute is likely to need if its calls come at random, up to `most`."""
    levels = Levels.up_to(most)
    distinct, which = _distinct(calls)
    reached = _chance(distinct, duration_ms, 0.0, levels) > _UNLIKELY
    return np.asarray((reached * levels.high).max(axis=1)[which])


def _models(
    calls: Reals, distinct: Reals, which: Ints, duration_ms: float, hour_peaks: Reals, levels: Levels
) -> Iterator[tuple[float, float, Reals, Reals]]:
    """Yield for each share of TOGETHER the likelihood of the peaks, the share, the table of minutes, and the chance of
    each hour to reach a level."""
    measured = ~np.isnan(hour_peaks)
    reached = np.nan_to_num(hour_peaks)[:, None] >= levels.middle
    hour = np.arange(len(calls)) // HOUR
    # How often each number of calls comes in each hour.
    counts = np.bincount(hour * len(distinct) + which, minlength=len(hour_peaks) * len(distinct))
    often = counts.reshape(-1, len(distinct)).astype(np.float64)
    judged = measured & (calls.reshape(-1, HOUR).sum(axis=1) > 0)
    for together in TOGETHER:
        table = _chance(distinct, duration_ms, together, levels)
        missed = often @ np.log1p(-np.minimum(table, 1 - 1e-6))
        in_hour = np.clip(-np.expm1(missed), LEAST_CHANCE, 1 - LEAST_CHANCE)
        yield float(np.log(np.where(reached, in_hour, 1 - in_hour))[judged].sum()), together, table, in_hour


def chance_at_random(calls_a_minute: Reals, duration_ms: float, levels: Levels) -> Reals:
    """Return the probability that a minute needs as many environments as each level if calls come at random, so many on
    the average: [numbers of calls, levels]."""
    load = calls_a_minute * duration_ms / 60_000
    counts = levels.middle.astype(int)
    _, at_least = _exactly_and_at_least(load, counts)
    met = _exactly_and_at_least(load, counts - 1)[0]
    return np.asarray(1 - (1 - at_least) * np.exp(-calls_a_minute[:, None] * met))


def _distinct(calls: Reals) -> tuple[Reals, Ints]:
    """Return the different numbers of calls, and for each minute the position of its own."""
    values, which = np.unique(calls, return_inverse=True)
    if len(values) <= _DISTINCT:
        return values, which
    # The most calls of each of the steps, which grow in proportion.
    values = np.append(0.0, np.unique(np.ceil(np.geomspace(1, values[-1], _DISTINCT))))
    return values, np.asarray(np.searchsorted(values, calls))


def _chance(calls: Reals, duration_ms: float, together: float, levels: Levels) -> Reals:
    """Return the probability that a minute with so many calls reaches each level: [numbers of calls, levels]."""
    load = calls * duration_ms / 60_000
    others = np.maximum(calls - 1, 0)
    counts = levels.middle.astype(int)
    _, at_least = _exactly_and_at_least(load, counts)
    if together:
        # Calls of one moment pass several levels at once.
        met = _exactly_and_at_least(np.minimum(load + together * others, np.maximum(others, load)), counts - 1)[1]
    else:
        # The level is reached by a call that meets exactly one environment less in use.
        met = _exactly_and_at_least(load, counts - 1)[0]
    never = (1 - at_least) * np.exp(-calls[:, None] * met)
    # No more calls are in progress at once than there are, apart from those that last longer than a minute.
    chance = np.where(levels.middle > np.maximum(calls, np.ceil(load))[:, None], 0, 1 - never)
    chance[:, 0] = calls > 0
    return np.asarray(chance)


def poisson(means: Reals, most: int) -> Reals:
    """Return the probability of 0, 1, ... `most` events for each mean: [means, most + 1]."""
    events = np.arange(most + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(events[1:]))])
    mean = np.maximum(means, 1e-12)[:, None]
    return np.asarray(np.exp(events * np.log(mean) - mean - logs))


def _exactly_and_at_least(means: Reals, counts: Ints) -> tuple[Reals, Reals]:
    """Return the probabilities of exactly and of at least so many events for each mean: [means, counts]."""
    exactly = poisson(means, int(counts.max(initial=0)))
    below = np.concatenate([np.zeros((len(means), 1)), np.cumsum(exactly, axis=1)[:, :-1]], axis=1)
    return exactly[:, counts], np.clip(1 - below, 0, 1)[:, counts]
