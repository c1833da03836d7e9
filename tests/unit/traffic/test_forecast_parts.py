"""The parts of the forecast of cold starts: levels, peaks within a minute, old hours, similar hours and minutes."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.traffic.forecast.day_kinds import DayKinds
from optimizer.traffic.forecast.demand import MOST_LEVELS, Levels
from optimizer.traffic.forecast.minutes_of_hour import shares_of_minutes
from optimizer.traffic.forecast.month_days import with_month_days
from optimizer.traffic.forecast.near_holidays import factors_near_holidays
from optimizer.traffic.forecast.old_hours import expected_in_old_hours
from optimizer.traffic.forecast.peaks import chance_of_peaks, highest_peak
from optimizer.traffic.forecast.similar_hours import Hours, expected_by_hour

DAY = 24
# 5 January 1970 was a Monday.
MONDAY = 4 * DAY


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_levels_cover_every_environment_once_and_stay_few(most: int) -> None:
    levels = Levels.up_to(most)
    assert levels.low.tolist() == [0, *levels.high[:-1].tolist()]
    assert levels.high[-1] == most
    assert len(levels.high) <= MOST_LEVELS
    assert ((levels.low < levels.middle) & (levels.middle <= levels.high)).all()
    assert levels.size.sum() == most


def played(rate: float, duration_s: float, hours: int, together: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return calls a minute, the peak of each minute and of each hour, for calls at random times."""
    random = np.random.default_rng(3)
    at = np.sort(np.repeat(random.uniform(0, hours * 3600, random.poisson(rate * hours * 60 / together)), together))
    ends = np.sort(at + duration_s)
    running = np.arange(1, len(at) + 1) - np.searchsorted(ends, at, "right")
    calls = np.bincount((at // 60).astype(int), minlength=hours * 60).astype(float)
    peaks = np.zeros(hours * 60)
    np.maximum.at(peaks, (at // 60).astype(int), running)
    return calls, peaks, peaks.reshape(-1, 60).max(axis=1)


@pytest.mark.parametrize(("rate", "duration_s"), [(30, 0.3), (200, 2.0), (2, 0.1)])
@pytest.mark.parametrize("is_measured", [True, False])
def test_expected_peaks_are_those_of_calls_at_random(rate: float, duration_s: float, is_measured: bool) -> None:
    """The number of minutes that reach each level is right within a factor of two, apart from rare ones.

    Peaks of calls that overlap for long come in runs, which the model takes for independent.
    """
    calls, peaks, of_hours = played(rate, duration_s, 200)
    hour_peaks = of_hours if is_measured else np.full(200, np.nan)
    levels = Levels.up_to(highest_peak(calls, duration_s * 1000, hour_peaks))
    expected = chance_of_peaks(calls, duration_s * 1000, hour_peaks, levels).sum(axis=0)
    for level, count in zip(levels.middle, expected, strict=True):
        happened = float((peaks >= level).sum())
        assert 0.5 * happened - 40 <= count <= 2 * happened + 40


def test_calls_of_one_moment_are_found_by_their_measured_peaks() -> None:
    """Bursts of four at once are expected where the peaks show them, and not without these."""
    calls, peaks, of_hours = played(0.1, 0.05, 400, together=4)
    levels = Levels.up_to(4)
    measured = chance_of_peaks(calls, 50.0, of_hours, levels)[:, -1].sum()
    assert measured == pytest.approx((peaks >= 4).sum(), rel=0.5)
    assert chance_of_peaks(calls, 50.0, np.full(400, np.nan), levels)[:, -1].sum() < 1


def test_no_minute_reaches_more_than_its_measured_hour() -> None:
    calls = np.full(120, 600.0)
    chance = chance_of_peaks(calls, 1000.0, np.array([4.0, 40.0]), Levels.up_to(40))
    levels = Levels.up_to(40)
    assert (chance[:60, levels.middle > 4] == 0).all()
    assert (chance[60:, levels.middle > 4].max(axis=1) > 0).all()


def test_many_different_calls_a_minute_are_grouped() -> None:
    calls = np.arange(6000.0) * 7
    levels = Levels.up_to(highest_peak(calls, 100.0, np.full(100, np.nan)))
    chance = chance_of_peaks(calls, 100.0, np.full(100, np.nan), levels)
    assert np.isfinite(chance).all()
    assert (np.diff(chance[:, 0]) >= 0).all()
    assert chance[0].max() == 0


def test_old_hours_start_cold_as_known_hours_with_as_many_calls() -> None:
    calls = np.array([0.0, 1, 1, 4, 4, 100, 100] * 8)
    cold = np.where(calls == 1, 1.0, np.where(calls == 4, 2.0, 0.0))[:, None]
    unknown = np.full(len(calls), np.nan)
    old = np.array([0.0, 1, 4, 100])
    found = expected_in_old_hours(cold, calls, unknown, old, unknown[:4], Levels.up_to(1))[:, 0]
    assert found[0] == 0
    assert found[1] == pytest.approx(1.0, abs=0.1)
    assert found[2] == pytest.approx(2.0, abs=0.3)
    assert found[3] < 0.1


def test_old_hours_below_a_level_never_start_it() -> None:
    calls, peaks = np.full(24, 10.0), np.tile([1.0, 3.0], 12)
    cold = np.stack([np.zeros(24), peaks == 3, peaks == 3], axis=1).astype(float)
    found = expected_in_old_hours(cold, calls, peaks, np.array([10.0, 10]), np.array([1.0, 3]), Levels.up_to(3))
    assert found[0, 1:].tolist() == [0, 0]
    assert (found[1, 1:] > 0.8).all()


def weeks(count: int, cold_at: set[tuple[int, int]], ahead: int, holidays: frozenset[int] = frozenset()) -> Hours:
    """Return whole weeks from a Monday on, cold at the given (weekday, hour), and the hours ahead."""
    local = MONDAY + np.arange(count * 7 * DAY + ahead)
    past = local[: count * 7 * DAY]
    cold = np.array([((h - MONDAY) // DAY % 7, h % DAY) in cold_at for h in past], np.float32)
    if holidays:
        cold[np.isin(past // DAY, list(holidays))] = 0
    return Hours(local, cold[:, None], np.ones(len(past), np.float32), DayKinds(holidays), ahead)


def test_hours_ahead_resemble_the_same_weekday() -> None:
    """After nine weeks with calls on Tuesdays and Thursdays alone, other days expect none."""
    hours = weeks(9, {(1, 14), (3, 14)}, 7 * DAY)
    expected = expected_by_hour(hours)[-7 * DAY :, 0].reshape(7, DAY)
    assert expected[[1, 3], 14].min() > 0.5
    assert expected[[0, 2, 4, 5, 6], 14].max() < 0.25
    assert expected[:, 3].max() < 0.02


def test_holiday_ahead_resembles_a_sunday() -> None:
    office = {(day, 9) for day in range(5)}
    ordinary = expected_by_hour(weeks(9, office, DAY))[-DAY:, 0]
    monday = (MONDAY + 9 * 7 * DAY) // DAY
    holiday = expected_by_hour(weeks(9, office, DAY, frozenset({monday})))[-DAY:, 0]
    assert ordinary[9] > 0.5
    assert holiday[9] < 0.2


def test_unknown_hours_are_not_silent_ones() -> None:
    hours = weeks(6, {(day, 9) for day in range(7)}, DAY)
    known = hours.known.copy()
    known[-10 * DAY : -3 * DAY] = 0
    cold = np.where(known[:, None] > 0, hours.cold, 0)
    expected = expected_by_hour(Hours(hours.local, cold, known, DayKinds(), DAY))[-DAY:, 0]
    assert expected[9] > 0.7


def cold_minutes(days: int, minute_of_hour: int | None, hour: int | None) -> np.ndarray:
    cold = np.zeros((days, DAY, 60))
    random = np.random.default_rng(4)
    for day in range(days):
        for at in range(DAY) if hour is None else (hour,):
            cold[day, at, random.integers(60) if minute_of_hour is None else minute_of_hour] = 1
    return cold.reshape(-1, 60)


@pytest.mark.parametrize(
    ("minute", "hour", "least", "most"), [(7, None, 0.5, 1.0), (7, 9, 0.4, 1.0), (None, None, 0.0, 0.05)]
)
def test_minutes_of_an_hour_follow_its_schedule(
    minute: int | None, hour: int | None, least: float, most: float
) -> None:
    """A timer's minute gets most of the hour's share; random calls spread evenly."""
    cold = cold_minutes(14, minute, hour)
    local = MONDAY + np.arange(len(cold))
    past, ahead = shares_of_minutes(cold, local, local[-1] + 1 + np.arange(DAY))
    assert ahead.sum(axis=1) == pytest.approx(np.ones(DAY))
    assert past.sum(axis=1) == pytest.approx(np.ones(len(cold)))
    assert least <= ahead[9 if hour is None else hour, 7] <= most


def test_hours_near_holidays_follow_those_of_earlier_ones() -> None:
    """Each half of a working day before a holiday has its own factor; other days and a week without holidays none."""
    local = 4 * DAY + np.arange(30 * DAY)  # from a Monday on
    cold = np.full(20 * DAY, 2.0)
    first = 4
    wednesdays = [first + 2, first + 9, first + 23]
    day, hour = local // DAY, local % DAY
    cold[np.isin(day[: len(cold)], [each - 1 for each in wednesdays]) & (hour[: len(cold)] >= 12)] = 0
    expected, known = np.full(len(cold), 2.0), np.ones(len(cold))
    factors = factors_near_holidays(local, DayKinds(frozenset(wednesdays)), cold, expected, known)
    tuesday = day == wednesdays[2] - 1
    assert factors[tuesday & (hour >= 12)].max() < 0.5
    assert factors[tuesday & (hour < 12)] == pytest.approx(1)
    assert np.allclose(factors[~tuesday], 1)
    assert (factors_near_holidays(local, DayKinds(), cold, expected, known) == 1).all()


def test_month_days_change_nothing_where_they_are_like_others() -> None:
    """Random traffic of any level: firsts of months look alike by chance in hardly any case."""
    local = (np.datetime64("2026-08-30", "D").astype(int) + np.arange(64 * DAY) // DAY) * DAY + np.arange(
        64 * DAY
    ) % DAY
    changed = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        rate = random.gamma(0.5, 4.0, DAY)[np.arange(64 * DAY) % DAY]
        # Days differ from each other by more than chance.
        rate = rate * np.repeat(random.uniform(0.5, 1.5, 64), DAY)
        cold = random.poisson(rate[: 63 * DAY]).astype(float)[:, None]
        expected = np.repeat(rate.reshape(64, DAY).mean(axis=0)[None], 64, axis=0).reshape(-1, 1)
        changed += not np.array_equal(with_month_days(local, cold, np.ones(63 * DAY), expected), expected)
    assert changed <= 2
