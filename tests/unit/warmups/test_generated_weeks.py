"""Warm-up plans for generated weeks: any weekdays, hours, time zones and clock changes."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import assume, example, given, settings, strategies as st
from optimizer.core import minute_of
from optimizer.traffic import DAY_MINUTES, offsets_minutes
from optimizer.warmups.plan import WarmupPlan, WarmupRequest, plan_warmups

from tests.helpers.examples import examples
from tests.helpers.rates import ARM_PINGS

KNOWN_DAYS, MINUTES_KNOWN = 63, 15 * DAY_MINUTES
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Adelaide", "Asia/Kathmandu", "Pacific/Auckland")
KEEP_ALIVE = 10


@dataclass(frozen=True)
class Week:
    """The same calls in each minute from one hour of some weekdays on."""

    weekdays: AbstractSet[int]
    hour: int
    length_minutes: int
    calls_a_minute: float
    zone: str
    usd_per_cold_start: float

    def calls(self, first: int, minutes: int) -> np.ndarray:
        """Return the calls of each minute from minute `first` since 1970 on."""
        number = first + np.arange(minutes)
        local = number + offsets_minutes(ZoneInfo(self.zone), number)
        weekday = (local // DAY_MINUTES + 3) % 7
        since = local % DAY_MINUTES - self.hour * 60
        busy = np.isin(weekday, list(self.weekdays)) & (since >= 0) & (since < self.length_minutes)
        return np.where(busy, self.calls_a_minute, 0.0)


weeks = st.builds(
    Week,
    weekdays=st.sets(st.integers(0, 6), min_size=1, max_size=6),
    hour=st.integers(4, 22),
    length_minutes=st.sampled_from([30, 60, 90, 8 * 60]),
    calls_a_minute=st.sampled_from([120.0, 300.0]),
    zone=st.sampled_from(ZONES),
    usd_per_cold_start=st.sampled_from([2e-5, 1e-4, 3e-4]),
)
# Clocks change on some of these days: 29 March, 25 October (Berlin), 8 March, 1 November (New York), 5 April (south).
days = st.dates(date(2026, 3, 1), date(2026, 11, 30))


def planned(week: Week, start: datetime) -> WarmupPlan:
    first = minute_of(start) - KNOWN_DAYS * DAY_MINUTES
    calls = week.calls(first, KNOWN_DAYS * DAY_MINUTES)
    return plan_warmups(
        WarmupRequest(
            start=start,
            hours_ahead=24,
            time_zone=week.zone,
            duration_ms=1000.0,
            init_ms=500.0,
            memory_mb=1024,
            rates=ARM_PINGS,
            keep_alive_minutes=KEEP_ALIVE,
            usd_per_cold_start=week.usd_per_cold_start,
            minutes=calls[-MINUTES_KNOWN:],
            hours=calls.reshape(-1, 60).sum(axis=1),
        )
    )


def local_midnight(day: date, zone: str) -> datetime:
    """Return the beginning of a local day, moved to the next whole hour of UTC, where hours of CloudWatch begin."""
    moment = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    return moment + timedelta(minutes=-moment.minute % 60)


@settings(max_examples=examples(25), deadline=None)
@given(weeks, days)
# The first days after a change of clocks, when calls move by an hour of UTC.
@example(Week({0, 1}, 5, 480, 120.0, "Australia/Adelaide", 2e-5), date(2026, 4, 7))
@example(Week({0}, 5, 480, 120.0, "Australia/Adelaide", 2e-5), date(2026, 4, 7))
@example(Week({0}, 4, 60, 120.0, "Australia/Adelaide", 3e-4), date(2026, 4, 6))
def test_busy_weekdays_begin_warm_and_quiet_ones_get_none(week: Week, day: date) -> None:
    start = local_midnight(day, week.zone)
    made = planned(week, start)
    ahead = np.flatnonzero(week.calls(minute_of(start), DAY_MINUTES))
    if not len(ahead):
        assert made.pings == ()
        return
    # A day that is skipped in part begins elsewhere.
    assume(ahead[0] > KEEP_ALIVE)
    held = max((count for minute, count in made.pings if minute < ahead[0] <= minute + KEEP_ALIVE), default=0)
    assert held >= 2
    # Nobody holds environments long before that; hours of UTC begin within the hours of some zones.
    within_hour = int(offsets_minutes(ZoneInfo(week.zone), np.array([minute_of(start)]))[0]) % 60
    early = ahead[0] - 3 * KEEP_ALIVE - within_hour
    assert not [minute for minute, _ in made.pings if minute < early]
