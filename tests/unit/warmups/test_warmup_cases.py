"""Analysis and plan in difficult cases: changing clocks, holidays, and functions that are new, have ended, doubled
overnight or are called once a week."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from optimizer.core.clock import minute_of, moment_of
from optimizer.policy.model import Warmups
from optimizer.traffic.gaps import settle
from optimizer.traffic.history import (
    DAY_MINUTES,
    HOUR_METRICS,
    MINUTES_KEPT,
    Floats,
    History,
    Series,
    empty_series,
    hours_from_minutes,
    offsets_minutes,
)
from optimizer.traffic.summary import FunctionTraffic, Pattern, summarise
from optimizer.warmups.occasions import Occasions
from optimizer.warmups.plan import WarmupPlan, plan_warmups
from optimizer.warmups.propose import WarmedFunction, warmup_request

from tests.helpers.rates import ARM_PINGS

POLICY = Warmups()
FUNCTION = WarmedFunction(512, ARM_PINGS, 500.0)
BERLIN = ZoneInfo("Europe/Berlin")


def minutes_of(calls: Floats, end: datetime) -> Series:
    values = {
        "invocations": calls,
        "duration_ms": np.where(calls > 0, 2000.0, np.nan),
        "concurrency": np.full(len(calls), np.nan),
    }
    return Series(minute_of(end) - len(calls), values)


def history_of(calls: Floats, end: datetime) -> History:
    series = minutes_of(calls, end)
    return settle({"f": History(series, empty_series(HOUR_METRICS, series.start // 60))}, series.start)["f"]


def local_of(end: datetime, days: int, zone: ZoneInfo) -> np.ndarray:
    """Local minutes of the days before `end`."""
    numbers = minute_of(end) - days * DAY_MINUTES + np.arange(days * DAY_MINUTES)
    return np.asarray(numbers + offsets_minutes(zone, numbers))


def burst_at(hour: int, end: datetime, zone: ZoneInfo = BERLIN, days: int = 15, calls: float = 60) -> Floats:
    """The same calls in the first ten minutes of a local hour of every day."""
    of_day = local_of(end, days, zone) % DAY_MINUTES
    return np.where((of_day >= hour * 60) & (of_day < hour * 60 + 10), calls, 0.0)


def planned(
    calls: Floats,
    end: datetime,
    timezone: str = "Europe/Berlin",
    policy: Warmups = POLICY,
    occasions: Occasions | None = None,
) -> WarmupPlan:
    series = minutes_of(calls, end)
    history = History(
        series.window(max(series.start, series.end - MINUTES_KEPT), series.end), hours_from_minutes(series)
    )
    return plan_warmups(warmup_request(history, timezone, policy, FUNCTION, occasions=occasions))


def held_at(made: WarmupPlan, start: datetime, moment: datetime) -> int:
    """Environments that the pings hold at a moment, with the policy's keep-alive."""
    minute = minute_of(moment) - minute_of(start)
    return max((n for at, n in made.pings if at < minute <= at + POLICY.keep_alive_minutes), default=0)


@pytest.mark.parametrize("now", [datetime(2026, 3, 29, 0, tzinfo=BERLIN), datetime(2026, 10, 25, 0, tzinfo=BERLIN)])
def test_pings_precede_the_local_hour_when_clocks_change(now: datetime) -> None:
    made = planned(burst_at(8, now), now)
    rise = now.replace(hour=8)
    assert held_at(made, now, rise) >= 5
    # Nor an hour beside it, where the same time of UTC would be.
    for beside in (-1, 1):
        assert held_at(made, now, (rise.astimezone(UTC) + timedelta(hours=beside, minutes=-1)).astimezone(BERLIN)) == 0


@pytest.mark.parametrize("now", [datetime(2026, 3, 29, 12, tzinfo=BERLIN), datetime(2026, 10, 25, 12, tzinfo=BERLIN)])
def test_pings_precede_the_local_hour_after_clocks_changed(now: datetime) -> None:
    made = planned(burst_at(8, now), now)
    rise = datetime(now.year, now.month, now.day + 1, 8, tzinfo=BERLIN)
    assert held_at(made, now, rise) >= 5
    assert held_at(made, now, rise - timedelta(minutes=50)) == 0


def test_plan_exists_in_a_skipped_or_repeated_hour() -> None:
    for now in (datetime(2026, 3, 29, 0, tzinfo=BERLIN), datetime(2026, 10, 25, 0, tzinfo=BERLIN)):
        made = planned(burst_at(2, now), now)
        assert all(0 <= minute < DAY_MINUTES for minute, _ in made.pings)


def working_days_only(end: datetime, holidays: tuple[date, ...] = (), days: int = 15) -> Floats:
    local = local_of(end, days, BERLIN)
    day = local // DAY_MINUTES
    off = (day + 3) % 7 == 6
    off |= np.isin(day, [(on - date(1970, 1, 1)).days for on in holidays])
    return np.where(off, 0.0, burst_at(8, end, days=days))


def test_a_holiday_ahead_is_planned_like_a_sunday() -> None:
    # Christmas of 2026 is a Friday.
    now = datetime(2026, 12, 25, 0, tzinfo=BERLIN)
    calls = working_days_only(now, days=56)
    assert held_at(planned(calls, now), now, now.replace(hour=8)) > 0
    with_holidays = replace(POLICY, holidays=(date(2026, 12, 25),))
    assert planned(calls, now, policy=with_holidays).pings == ()


def test_day_after_holidays_is_planned_as_an_ordinary_day() -> None:
    holidays = (date(2026, 12, 24), date(2026, 12, 25))
    now = datetime(2026, 12, 26, 0, tzinfo=BERLIN)
    with_holidays = replace(POLICY, holidays=holidays)
    quiet, ordinary = working_days_only(now, holidays), working_days_only(now)
    for calls, policy in ((quiet, with_holidays), (ordinary, POLICY)):
        assert held_at(planned(calls, now, policy=policy), now, now.replace(hour=8)) >= 5


def test_half_day_is_planned_like_a_sunday_from_noon_on() -> None:
    # The 24th is a Thursday.
    now = datetime(2026, 12, 24, 0, tzinfo=BERLIN)
    day = local_of(now, 56, BERLIN) // DAY_MINUTES
    calls = np.where((day + 3) % 7 == 6, 0.0, burst_at(8, now, days=56) + burst_at(15, now, days=56))
    half = Occasions(half_days=frozenset({date(2026, 12, 24)}))
    made = planned(calls, now, occasions=half)
    assert held_at(made, now, now.replace(hour=8)) >= 5
    assert held_at(made, now, now.replace(hour=15)) == 0
    assert held_at(planned(calls, now), now, now.replace(hour=15)) >= 5


def test_plan_into_a_holiday_learns_each_hour_from_its_day() -> None:
    """A plan that begins before a holiday and ends in it takes each hour from its own kind of day."""
    now = datetime(2026, 12, 24, 12, tzinfo=BERLIN)
    morning = working_days_only(now, days=56)
    evening = np.where(morning > 0, 0.0, burst_at(20, now, days=56))
    with_holidays = replace(POLICY, usd_per_cold_start=2e-5, holidays=(date(2026, 12, 25),))
    made = planned(morning + evening, now, policy=with_holidays)
    assert held_at(made, now, datetime(2026, 12, 24, 20, tzinfo=BERLIN)) >= 5
    assert held_at(made, now, datetime(2026, 12, 25, 8, tzinfo=BERLIN)) == 0


def test_new_function_is_not_planned_within_its_first_day() -> None:
    now = datetime(2026, 11, 20, 6, tzinfo=UTC)
    calls = np.full(15 * DAY_MINUTES, np.nan)
    calls[-20 * 60 :] = burst_at(8, now)[-20 * 60 :]
    made = planned(calls, now)
    assert made.pings == ()
    assert "less than a day" in made.reason
    traffic = summary(history_of(calls, now))
    assert 0 < traffic.days < 1
    assert traffic.pattern is Pattern.NONE


def test_function_of_two_days_is_planned() -> None:
    now = datetime(2026, 11, 20, 0, tzinfo=BERLIN)
    calls = np.full(15 * DAY_MINUTES, np.nan)
    calls[-2 * DAY_MINUTES :] = burst_at(8, now)[-2 * DAY_MINUTES :]
    assert held_at(planned(calls, now), now, now.replace(hour=8)) >= 5


@pytest.mark.parametrize("days_ago", [7, 14])
def test_a_function_that_died_is_not_kept_warm(days_ago: int) -> None:
    now = datetime(2026, 11, 20, 0, tzinfo=BERLIN)
    calls = burst_at(8, now)
    calls[-days_ago * DAY_MINUTES :] = 0
    made = planned(calls, now)
    assert made.pings == ()
    last = summary(history_of(calls, now)).last_call_at
    assert last is not None
    assert moment_of(minute_of(now)) - datetime.fromisoformat(last) > timedelta(days=days_ago)


def test_reason_names_a_function_without_calls() -> None:
    now = datetime(2026, 11, 20, 0, tzinfo=BERLIN)
    assert "nothing is known" in planned(np.full(15 * DAY_MINUTES, np.nan), now).reason
    assert "it was not called in the time that is known" in planned(np.zeros(15 * DAY_MINUTES), now).reason


def test_function_that_doubled_is_held_at_its_new_level() -> None:
    now = datetime(2026, 11, 20, 0, tzinfo=BERLIN)
    calls = burst_at(8, now)
    calls[-DAY_MINUTES:] *= 2
    # 120 calls a minute of two seconds: L = 4, and 2 sqrt 4 on top.
    assert held_at(planned(calls, now), now, now.replace(hour=8)) >= 7


def test_a_function_called_once_a_week_costs_nearly_nothing() -> None:
    # Mondays at nine; the plan is made on a Sunday night and on a Tuesday night.
    for now, most in ((datetime(2026, 11, 16, 0, tzinfo=BERLIN), 5), (datetime(2026, 11, 18, 0, tzinfo=BERLIN), 1)):
        local = local_of(now, 15, BERLIN)
        calls = np.where(((local // DAY_MINUTES + 3) % 7 == 0) & (local % DAY_MINUTES == 540), 1.0, 0.0)
        made = planned(calls, now)
        assert sum(n for _, n in made.pings) <= most
        assert made.expected_cold_starts_unwarmed < 1.5


def test_a_weekly_season_and_a_sparse_function_are_told_apart() -> None:
    now = datetime(2026, 11, 16, 0, tzinfo=BERLIN)
    assert summary(history_of(working_days_only(now), now)).pattern in (Pattern.DAILY, Pattern.WEEKLY)
    calls = np.zeros(15 * DAY_MINUTES)
    calls[np.random.default_rng(5).choice(len(calls), 8, replace=False)] = 1
    assert summary(history_of(calls, now)).pattern is Pattern.SPARSE


def summary(history: History) -> FunctionTraffic:
    return summarise(
        history, function_name="f", function_arn="arn", alias="live", timezone="Europe/Berlin", history_key="k"
    )
