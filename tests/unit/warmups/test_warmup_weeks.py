"""Warm-up plans for functions that are called on some days of the week only, and at the second of a minute."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from optimizer.warmups.plan import WarmupPlan, WarmupRequest, plan_warmups

from tests.helpers.rates import ARM_PINGS

MONDAY = datetime(2026, 11, 23, 4, tzinfo=UTC)


def planned(calls: Callable[[datetime], float], start: datetime, peak: float = 0.0, **changes: float) -> WarmupPlan:
    """Plan a day from fifteen days of minutes and nine weeks of hours."""
    first = start - timedelta(days=63)
    minutes = np.array([calls(first + timedelta(minutes=minute)) for minute in range(63 * 1440)], float)
    # Whole hours, as CloudWatch counts them.
    hours = minutes[-start.minute % 60 : len(minutes) - start.minute].reshape(-1, 60).sum(axis=1)
    return plan_warmups(
        WarmupRequest(
            start=start,
            hours_ahead=24,
            time_zone="UTC",
            duration_ms=1000.0,
            init_ms=500.0,
            memory_mb=1024,
            rates=ARM_PINGS,
            keep_alive_minutes=10,
            usd_per_cold_start=changes.get("usd_per_cold_start", 3e-4),
            minutes=minutes[-15 * 1440 :],
            hours=hours,
            hour_peaks=np.where(hours > 0, peak, 0.0) if peak else None,
        )
    )


def before(made: WarmupPlan, start: datetime, hour: int) -> int:
    """Return the environments that pings of the ten minutes before an hour hold."""
    end = (hour - start.hour) * 60 - start.minute
    return max((count for minute, count in made.pings if end - 10 <= minute < end), default=0)


def mornings(weekdays: set[int], hour: int) -> Callable[[datetime], float]:
    return lambda at: 300.0 if at.weekday() in weekdays and at.hour == hour and at.minute < 30 else 0.0


def test_working_hours_are_warm_on_monday_and_cold_on_the_weekend() -> None:
    calls = mornings({0, 1, 2, 3, 4}, 9)
    assert before(planned(calls, MONDAY), MONDAY, 9) >= 5
    for day in (5, 6):
        assert planned(calls, MONDAY + timedelta(days=day)).pings == ()


@pytest.mark.parametrize("day", range(7))
def test_two_days_a_week_are_warm_and_no_others(day: int) -> None:
    start = MONDAY + timedelta(days=day)
    made = planned(mornings({1, 3}, 14), start)
    if day in (1, 3):
        assert before(made, start, 14) >= 5
    else:
        assert made.pings == ()


def test_all_day_traffic_is_warm_when_it_begins() -> None:
    def calls(at: datetime) -> float:
        return 120.0 if at.weekday() < 5 and 9 <= at.hour < 17 else 0.0

    assert before(planned(calls, MONDAY), MONDAY, 9) >= 2


def test_hourly_call_is_met_by_a_ping_of_an_earlier_minute() -> None:
    """A ping is sent at any second of its minute; a call at second 0 of that minute would not find it."""
    made = planned(lambda at: float(at.minute == 0), MONDAY)
    assert not any(minute % 60 == 0 for minute, _ in made.pings)
    for hour in range(1, 24):
        assert any(hour * 60 - 10 <= minute < hour * 60 for minute, _ in made.pings)


@pytest.mark.parametrize("minute", [0, 12, 30, 48])
def test_plans_that_begin_within_an_hour_hold_as_many_environments(minute: int) -> None:
    """Calls of the busy half hour are not in progress before it, wherever the hours of the plan begin."""
    start = MONDAY + timedelta(minutes=minute)
    made = planned(mornings({0, 1, 2, 3, 4}, 9), start, peak=6.0)
    assert before(made, start, 9) == 6
