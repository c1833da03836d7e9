"""Estimate the cold starts of hours whose minutes are no longer known, from hours with as many calls."""

import numpy as np

from optimizer.traffic.forecast.demand import Levels, Reals
from optimizer.traffic.history import Ints

# Groups of hours with similar numbers of calls: two groups for each doubling.
_GROUPS = 48
# An hour with twice the calls of the one before begins with environments that are not warm yet.
_RISE = 2
# Calls at random moments of an hour find an environment that lives ten minutes warm with a chance of a sixth each.
_STILL_WARM = 1 / 6
# An hour has at most so many gaps of ten minutes.
_MOST_AN_HOUR = 6.0
# With fewer hours, those that reached a level do not tell how often it starts cold.
_FEWEST_HOURS = 3


def expected_in_old_hours(
    cold: Reals, calls: Reals, peaks: Reals, old_calls: Reals, old_peaks: Reals, levels: Levels
) -> Reals:
    """Return the expected cold starts of each level in each old hour: [old hours, levels].

    cold: [hours, levels] of the hours whose minutes are known, with their calls and peaks (NaN if not measured).
    A level starts cold in an old hour as often as in known hours that reached the level with about as many calls. Where
    there are few of these, the calls decide alone: of n calls at random moments, n (1 - 1/6)^(n - 1) start cold.
    """
    every = np.concatenate([old_calls, calls])
    kinds = _kind(every)
    old_kind, kind = kinds[: len(old_calls)], kinds[len(old_calls) :]
    middle = 2 ** (np.arange(_GROUPS) / 2) - 1
    at_random = np.minimum(middle * (1 - _STILL_WARM) ** np.maximum(middle - 1, 0), _MOST_AN_HOUR)
    result = np.zeros((len(old_calls), len(levels.high)), np.float32)
    for level, (middle_of_level, size) in enumerate(zip(levels.middle, levels.size, strict=True)):
        reached = ~(peaks < middle_of_level)
        total = _by_kind(kind[reached], cold[reached, level])
        hours = _by_kind(kind[reached])
        if level == 0:
            usual = np.broadcast_to(at_random, total.shape)
        else:
            enough = hours.sum(axis=1, keepdims=True) >= _FEWEST_HOURS
            all_hours = total.sum() / hours.sum() if hours.sum() >= _FEWEST_HOURS else size / 2
            of_kind = total.sum(axis=1, keepdims=True) / np.maximum(hours.sum(axis=1, keepdims=True), 1)
            usual = np.broadcast_to(np.where(enough, of_kind, all_hours), total.shape)
        expected = (_with_neighbours(total) + usual) / (_with_neighbours(hours) + 1)
        here = (old_calls > 0) & ~(old_peaks < middle_of_level)
        if level and np.isnan(old_peaks).all() and not np.isnan(peaks).all():
            # It is not known which old hours reached the level; as many did as of the known ones.
            expected = expected * (reached & ~np.isnan(peaks)).mean()
        result[:, level] = np.where(here, expected.ravel()[old_kind], 0)
    return result


def _kind(calls: Reals) -> Ints:
    """Return the group of each hour's calls, and of those whose calls rise from the hour before beyond all groups."""
    group = _group(calls)
    before = np.append(np.nan, calls[:-1])
    rises = ~np.isnan(before) & (group >= _group(before) + _RISE)
    return np.asarray(group + _GROUPS * rises)


def _by_kind(kind: Ints, weights: Reals | None = None) -> Reals:
    return np.bincount(kind, weights=weights, minlength=2 * _GROUPS).reshape(2, _GROUPS).astype(float)


def _group(calls: Reals) -> Ints:
    doublings = 2 * np.log2(np.maximum(np.nan_to_num(calls), 0) + 1)
    return np.asarray(np.minimum(np.rint(doublings), _GROUPS - 1).astype(int))


def _with_neighbours(values: Reals) -> Reals:
    padded = np.pad(values, ((0, 0), (1, 1)))
    return np.asarray(values + 0.5 * (padded[:, :-2] + padded[:, 2:]))
