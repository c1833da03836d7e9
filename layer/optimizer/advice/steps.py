"""Find the hour since which a share, or the day since which a duration, is larger than before. Pure.

A share is compared by the likelihood ratio of two rates against one. Errors come in bursts, so the ratio is divided by
how much the hours differ more than chance alone would let them (quasi-likelihood).
"""

from dataclasses import dataclass

import numpy as np

from optimizer.traffic import Floats

# Chance alone reaches this ratio in less than one of a million series, whatever hour of nine weeks is chosen.
_STRONG = 40.0
# Before and after, in hours. A recent step is looked for in the last two weeks first: older ones may hide it.
_LEAST_BEFORE, _LEAST_AFTER = 48, 6
_WINDOWS = (14 * 24, 63 * 24)
# The share of a rise that most hours must show.
_CLEARLY = 0.25
# A rate that no stretch of the time before came near to.
_UNSEEN = 1.5
_WEEK = 7 * 24
# Days before and after a step of the duration; a week has one weekend.
_DAYS_BEFORE, _DAYS_AFTER = 7, 3
_DAY_WINDOWS = (21, 63)
_DAY_CALLS = 20
# So many times the usual difference between days.
_CLEAR = 4.0
_LEAST_SPREAD = 0.02
_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class Step:
    """A rise. place: of the first hour after it in the series. gains: how well a step at each hour explains it."""

    place: int
    before: float
    after: float
    gains: list[float]


def step_of_share(numbers: Floats, totals: Floats, least: float, times: float) -> Step | None:
    """Return the last clear rise of numbers / totals to `least` or more and to `times` the rate before, or None.

    It must last: a burst that was over after an hour, or that came before in the same strength, is none.
    """
    for hours in _WINDOWS:
        first = max(len(totals) - hours, 0)
        step = _step_of_share(numbers[first:], totals[first:], least, times)
        if step is not None:
            return Step(step.place + first, step.before, step.after, [0.0] * first + step.gains)
        if first == 0:
            return None
    return None


def _step_of_share(numbers: Floats, totals: Floats, least: float, times: float) -> Step | None:
    called = totals > 0
    if len(totals) < _LEAST_BEFORE + _LEAST_AFTER or called.sum() < _LEAST_BEFORE / 2 or numbers.sum() < 1:
        return None
    # Of the hours before each place.
    k, n = (np.concatenate(([0.0], np.cumsum(each))) for each in (numbers, totals))
    gains = 2 * (_log_likelihood(k, n) + _log_likelihood(k[-1] - k, n[-1] - n) - _log_likelihood(k[-1:], n[-1:]))
    with np.errstate(divide="ignore", invalid="ignore"):
        before, after = k / n, (k[-1] - k) / (n[-1] - n)
    possible = (n > 0) & (n[-1] > n) & (after > before)
    possible[:_LEAST_BEFORE] = False
    possible[len(totals) - _LEAST_AFTER + 1 :] = False
    if not possible.any():
        return None
    best = int(np.where(possible, gains, -np.inf).argmax())
    expected = np.concatenate((totals[:best] * before[best], totals[best:] * after[best]))
    rates = np.where(np.arange(len(totals)) < best, before[best], after[best])
    variance = expected * (1 - rates)
    counted = called & (variance > 0)
    residuals = (numbers - expected)[counted] ** 2 / variance[counted]
    dispersion = max(1.0, float(residuals.sum()) / max(int(counted.sum()) - 2, 1))
    is_large = after[best] >= max(least, times * before[best])
    if not is_large or gains[best] / dispersion < _STRONG or not _lasts(numbers, totals, rates, best):
        return None
    if _seen_before(k, n, best) * _UNSEEN > after[best]:
        return None
    return Step(best, float(before[best]), float(after[best]), np.where(possible, gains, 0.0).tolist()[:-1])


def _lasts(numbers: Floats, totals: Floats, rates: Floats, place: int) -> bool:
    """Return True if most hours after a place are clearly above the rate before. rates: before and after, by hour."""
    least = rates[0] + (rates[-1] - rates[0]) * _CLEARLY
    due = totals[place:] * rates[-1] >= 2
    if due.sum() < _LEAST_AFTER:
        # Rare calls: so many of them must have failed, each in an hour of its own.
        return bool((numbers[place:] > 0).sum() >= _LEAST_AFTER)
    return bool((numbers[place:] > least * totals[place:])[due].mean() > 0.5)


def _seen_before(k: Floats, n: Floats, place: int) -> float:
    """Return the largest rate of a stretch before a place, as long as the time after it, a week at the most."""
    length = min(len(n) - 1 - place, _WEEK, place)
    failed, called = k[length : place + 1] - k[: place + 1 - length], n[length : place + 1] - n[: place + 1 - length]
    # A stretch of few calls says little.
    enough = called >= (n[-1] - n[place]) / 4
    return float((failed[enough] / called[enough]).max()) if enough.any() else 0.0


def _log_likelihood(k: Floats, n: Floats) -> Floats:
    """Return the log-likelihood of k of n at the rate k / n."""
    with np.errstate(divide="ignore", invalid="ignore"):
        failed, passed = k * np.log(k / n), (n - k) * np.log1p(-k / n)
    return np.where((k > 0) & (k < n), failed + passed, 0.0)


def step_of_duration(durations_ms: Floats, calls: Floats, ratio: float, least_ms: float) -> Step | None:
    """Return the last clear rise of the duration of calls by `ratio` and `least_ms` or more, None without one.

    Days of 24 hours up to the end of the series are compared, because durations follow the time of day. Every day after
    the rise must be slower than nine in ten of those before. before, after: medians of the days' means in ms.
    """
    days = _daily(durations_ms, calls)
    for most in _DAY_WINDOWS:
        first = max(len(days) - most, 0)
        step = _step_of_days(days[first:], ratio, least_ms)
        if step is not None:
            skipped = len(calls) - 24 * len(days)
            gains = [0.0] * len(calls)
            for day, gain in enumerate(step.gains):
                # Within a day, one hour explains it as well as another.
                at = skipped + 24 * (first + day)
                gains[max(at - 24, 0) : at + 24] = [max(gain, known) for known in gains[max(at - 24, 0) : at + 24]]
            return Step(skipped + 24 * (first + step.place), step.before, step.after, gains)
        if first == 0:
            return None
    return None


def _step_of_days(days: Floats, ratio: float, least_ms: float) -> Step | None:
    known = np.flatnonzero(~np.isnan(days))
    values = days[known]
    if len(values) < _DAYS_BEFORE + _DAYS_AFTER:
        return None
    # The squares that a step at each place explains, of values around their mean.
    places = np.arange(_DAYS_BEFORE, len(values) - _DAYS_AFTER + 1)
    sums = np.cumsum(values - values.mean())[places - 1]
    explained = np.where(sums < 0, sums**2 * (1 / places + 1 / (len(values) - places)), 0.0)
    best = int(places[explained.argmax()])
    gains = np.zeros(len(days))
    gains[known[places]] = explained
    before, after = values[:best], values[best:]
    low, high = float(np.median(before)), float(np.median(after))
    spread = _MAD * float(np.median(np.abs(np.concatenate((before - low, after - high)))))
    is_large = high - low >= np.log(ratio) and np.exp(high) - np.exp(low) >= least_ms
    if not is_large or high - low < _CLEAR * max(spread, _LEAST_SPREAD):
        return None
    if after.min() <= np.quantile(before, 0.9):
        return None
    return Step(int(known[best]), float(np.exp(low)), float(np.exp(high)), gains.tolist())


def _daily(durations_ms: Floats, calls: Floats) -> Floats:
    """Return the mean log duration of each whole day up to the end; NaN for a day with few calls."""
    days = len(calls) // 24
    if not days:
        return np.empty(0)
    weights = np.where((calls > 0) & (durations_ms > 0), calls, 0.0)[-24 * days :].reshape(days, 24)
    logs = np.log(np.where(weights.ravel() > 0, durations_ms[-24 * days :], 1.0)).reshape(days, 24)
    called = weights.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(called >= _DAY_CALLS, (weights * logs).sum(1) / called, np.nan)
