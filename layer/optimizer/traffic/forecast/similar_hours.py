"""Forecast the cold starts of the hours ahead from past hours that resemble them.

Which past hours resemble an hour ahead differs from function to function: the same hour of the same weekday, of all
working days, of yesterday, any hour of such a day, or the last hours before the plan. Each choice is a member. The
forecast is the weighted sum of the members, and the weights are those under which the cold starts that happened since
are most likely.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.forecast.day_kinds import SATURDAY, SUNDAY, DayKinds
from optimizer.traffic.forecast.demand import Reals
from optimizer.traffic.forecast.month_days import with_month_days
from optimizer.traffic.forecast.near_holidays import factors_near_holidays
from optimizer.traffic.history import Ints

DAY, NOON = 24, 12
# Weights of the hours around an hour: none, the neighbours, and three on either side.
_ALONE, _NEAR, _WIDE = (1.0,), (0.25, 0.5, 0.25), (1 / 16, 2 / 16, 3 / 16, 4 / 16, 3 / 16, 2 / 16, 1 / 16)
# (days before, pseudo-count of cold starts, largest factor) of today's level beside the usual one.
_LEVELS = {"6 h": (6, 1.0, 8.0), "day": (24, 2.0, 8.0), "3 days": (72, 4.0, 4.0)}
# How fast the rate of the last hours fades, for each hour.
_FADING = 0.8
# The weight of an hour in the fit halves in three weeks.
_FIT_HALF_LIFE_HOURS = 24 * 21
# Cold starts with which the equal weights of the members count in the fit.
_PRIOR_EVENTS = 2.0
_ROUNDS = 60
# Each round goes further than plain expectation maximisation would, which is slow where members are alike.
_STRIDE = 1.7
_FEWEST_EVENTS = 3
# A share of an hour and of the mean rate, where nothing like an hour is known.
_TINY = 1e-3


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours in local time: the known ones, oldest first, and then those ahead."""

    # Local hours since 1970, one for each.
    local: Ints
    # [known hours, levels]; rows of unknown hours are ignored.
    cold: Reals
    known: Reals
    days: DayKinds
    # Hours from one plan to the next.
    between_plans: int


def expected_by_hour(hours: Hours) -> Reals:
    """Return the expected cold starts of each level in each hour: [hours, levels].

    Those of past hours are what was expected of them before they came, with the weights of today.
    """
    members = _members(hours)
    expected = members @ _fitted(members[: len(hours.cold)], hours)
    before, cold = expected[: len(hours.cold)].sum(axis=1), hours.cold.sum(axis=1)
    near = factors_near_holidays(hours.local, hours.days, cold, before, hours.known)
    return with_month_days(hours.local, hours.cold, hours.known, np.asarray(expected * near[:, None]))


def _fitted(members: Reals, hours: Hours) -> Reals:
    """Return the weights of the members by expectation maximisation of the likelihood of a Poisson process.

    members: [known hours, levels, members], each computed only from what was known when it was planned.
    """
    count = members.shape[2]
    known = len(members)
    trust = 0.5 ** ((known - 1 - np.arange(known)) / _FIT_HALF_LIFE_HOURS) * hours.known
    trust[: min(known - 1, max(7 * DAY, known // 4)) if known > 10 * DAY else min(known - 1, 2 * DAY)] = 0
    expected = np.einsum("h,hlm->m", trust, members, optimize=True)
    row, level = np.nonzero((hours.cold > 0) & (trust[:, None] > 0))
    weights = np.full(count, 1 / count)
    if len(row) < _FEWEST_EVENTS:
        return weights
    rates = members[row, level].astype(np.float64)
    happened = hours.cold[row, level] * trust[row]
    prior = _PRIOR_EVENTS / count
    drawn = expected + _PRIOR_EVENTS * expected.mean() / max(float(happened.sum()), 1e-9)
    for _ in range(_ROUNDS):
        shares = weights * (happened / np.maximum(rates @ weights, 1e-12) @ rates)
        weights = weights * ((shares + prior) / (drawn * weights)) ** _STRIDE
    return weights


def _members(hours: Hours) -> Reals:
    """Return the rate of each member in each hour: [hours, levels, members]."""
    days = hours.local // DAY
    first = int(days[0])
    where = (days - first, hours.local % DAY)
    similar = _SimilarDays.of(hours, np.arange(first, int(days[-1]) + 1))
    weekday = similar.mean("same weekday", _NEAR)[where]
    usual = similar.mean("same kind, long", _NEAR)[where]
    wide = similar.mean("same kind, long", _WIDE)[where]
    every_day = similar.mean("all", _ALONE)[where]
    planned_at = _planned_at(len(hours.cold), len(hours.local), hours.between_plans)
    six, day, three_days = (
        _level(hours, usual, planned_at, *level)[:, None].astype(np.float32) for level in _LEVELS.values()
    )
    return np.stack(
        [
            weekday,
            similar.mean("same weekday", _ALONE)[where],
            similar.mean("same kind", _NEAR)[where],
            usual,
            wide,
            similar.mean("all", _NEAR)[where],
            every_day,
            similar.mean("yesterday", _ALONE)[where],
            similar.mean_day("same kind")[where[0]],
            similar.mean_day("all")[where[0]],
            usual * six,
            usual * day,
            weekday * day,
            every_day * np.minimum(day, 4),
            wide * three_days,
            _last_hours(hours, planned_at),
        ],
        axis=-1,
    )


@dataclass(frozen=True, slots=True)
class _SimilarDays:
    # [days, 24, levels]: cold starts; [days, 24]: 1 if the hour is known.
    cold: Reals
    known: Reals
    # For each name, [days, days]: how much each earlier day counts for a day.
    weights: dict[str, Reals]
    # The same from noon on, where it differs.
    after_noon: dict[str, Reals] | None
    # [levels]: the mean of all known hours.
    mean_rate: Reals

    @classmethod
    def of(cls, hours: Hours, days: Ints) -> "_SimilarDays":
        past = len(hours.cold)
        day, hour = hours.local[:past] // DAY - days[0], hours.local[:past] % DAY
        cold = np.zeros((len(days), DAY, hours.cold.shape[1]), np.float32)
        known = np.zeros((len(days), DAY), np.float32)
        np.add.at(cold, (day, hour), hours.cold * hours.known[:, None])
        np.add.at(known, (day, hour), hours.known)
        # An hour that clocks repeat counts once.
        cold /= np.maximum(known, 1)[:, :, None]
        weekday, later = hours.days.weekdays(days), hours.days.after_noon(days)
        rests = _rests_on_saturday(cold, weekday)
        weights = _weights_of_days(days, weekday, rests_on_saturday=rests)
        differs = (weekday != later).any()
        after_noon = _weights_of_days(days, later, rests_on_saturday=rests) if differs else None
        rate = hours.cold[hours.known > 0].mean(axis=0) if hours.known.any() else np.zeros(hours.cold.shape[1])
        return cls(cold, np.minimum(known, 1), weights, after_noon, rate.astype(np.float32))

    def mean(self, which: str, around: tuple[float, ...]) -> Reals:
        """Return the mean of similar days for each day and hour: [days, 24, levels]."""
        levels = self.cold.shape[2]
        cold = _smoothed(self.cold.reshape(-1, levels), around).reshape(self.cold.shape)
        known = _smoothed(self.known.reshape(-1, 1), around).reshape(self.known.shape)

        def weighted(weights: Reals) -> Reals:
            total = (weights @ cold.reshape(len(cold), -1)).reshape(cold.shape)
            return np.asarray((total + _TINY * self.mean_rate) / ((weights @ known)[:, :, None] + _TINY))

        mean = weighted(self.weights[which])
        if self.after_noon is not None:
            mean[:, NOON:] = weighted(self.after_noon[which])[:, NOON:]
        return mean

    def mean_day(self, which: str) -> Reals:
        """Return the mean over all hours of similar days, for each day: [days, levels]."""
        weights = self.weights[which]
        total, hours = weights @ self.cold.sum(axis=1), (weights @ self.known.sum(axis=1))[:, None]
        return np.asarray((total + _TINY * self.mean_rate) / (hours + _TINY))


def _weights_of_days(days: Ints, weekday: Ints, *, rests_on_saturday: bool) -> dict[str, Reals]:
    """Return for each name of a member how much each earlier day counts for a day: [days, days]."""
    rest = (weekday == SUNDAY) | (weekday == SATURDAY) & rests_on_saturday
    age = days[:, None] - days
    earlier = age > 0
    same_kind = earlier & (rest[:, None] == rest)

    def halved(allowed: NDArray[np.bool_], half_life_days: float) -> Reals:
        return np.where(allowed, 0.5 ** (np.maximum(age, 0) / half_life_days), 0).astype(np.float32)

    return {
        "same weekday": halved(earlier & (weekday[:, None] == weekday), 28),
        "same kind": halved(same_kind, 10),
        "same kind, long": halved(same_kind, 40),
        "all": halved(earlier, 7),
        "yesterday": halved(earlier, 1),
    }


def _rests_on_saturday(cold: Reals, weekday: Ints) -> bool:
    """Return True if Saturdays resemble Sundays and holidays more than working days, or if nobody knows."""
    by_day = cold.sum(axis=(1, 2))
    known = by_day.cumsum() > 0
    means = [by_day[known & day] for day in (weekday < SATURDAY, weekday == SATURDAY, weekday == SUNDAY)]
    if not all(len(days) for days in means):
        return True
    working, saturday, sunday = (float(days.mean()) for days in means)
    return abs(saturday - sunday) <= abs(saturday - working)


def _smoothed(rows: Reals, around: tuple[float, ...]) -> Reals:
    if len(around) == 1:
        return rows
    reach = len(around) // 2
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    return np.asarray(sum(weight * padded[shift : shift + len(rows)] for shift, weight in enumerate(around)))


def _planned_at(past: int, hours: int, between_plans: int) -> Ints:
    """Return for each hour the hour in which its plan would have begun, if plans are made as often as this one."""
    index = np.arange(hours)
    began = past - np.ceil((past - index) / between_plans).astype(int) * between_plans
    return np.maximum(np.where(index >= past, past, began), 0)


def _level(hours: Hours, usual: Reals, planned_at: Ints, span: int, few: float, most: float) -> Reals:
    """Return the cold starts of the `span` hours before each plan as a multiple of the usual ones, drawn towards 1."""
    past = len(hours.cold)
    counted = hours.known
    happened = np.concatenate([[0.0], np.cumsum(hours.cold.sum(axis=1) * counted)])
    expected = np.concatenate([[0.0], np.cumsum(usual[:past].sum(axis=1) * counted)])
    since = np.maximum(planned_at - span, 0)
    ratio = (happened[planned_at] - happened[since] + few) / (expected[planned_at] - expected[since] + few)
    return np.asarray(np.minimum(ratio, most))


def _last_hours(hours: Hours, planned_at: Ints) -> Reals:
    """Return the rate of the three hours before each plan, which fades from hour to hour."""
    total = np.concatenate([np.zeros((1, hours.cold.shape[1])), np.cumsum(hours.cold * hours.known[:, None], axis=0)])
    rate = (total[planned_at] - total[np.maximum(planned_at - 3, 0)]) / 3
    later = np.arange(len(planned_at)) - planned_at
    return np.asarray(rate * (_FADING**later)[:, None], np.float32)
