"""Events, sale days, and hours that are never or always warm, in generated weeks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer.core.clock import minute_of
from optimizer.policy.model import AlwaysWarm, NeverWarm, Policy, UnusualDay
from optimizer.traffic.history import DAY_MINUTES, Floats, Ints, offsets_minutes
from optimizer.warmups.occasions import LEAD_MINUTES, Launch, Occasions, held, occasions_of, with_occasions
from optimizer.warmups.plan import WarmupPlan, WarmupRequest, plan_warmups
from optimizer_cli.json_lines import UnusableRequest
from optimizer_cli.planners.warmups import answer

from tests.helpers.examples import examples
from tests.helpers.rates import ARM_PINGS

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
# A Friday; clocks change in several of the zones in the weeks around.
FRIDAY = datetime(2026, 10, 30, tzinfo=UTC)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def local_minutes(start: datetime, zone: str, days: int) -> Ints:
    minutes = minute_of(start) - days * DAY_MINUTES + np.arange(days * DAY_MINUTES)
    return minutes + offsets_minutes(ZoneInfo(zone), minutes)


def bursts(start: datetime, zone: str, weekdays: set[int], hour: int, calls: float = 60.0) -> Floats:
    """Nine weeks of minutes with calls in the first ten minutes of a local hour of some weekdays."""
    local = local_minutes(start, zone, 63)
    on = np.isin((local // DAY_MINUTES + 3) % 7, list(weekdays)) & (local % DAY_MINUTES // 10 == hour * 6)
    return np.where(on, calls, 0.0)


def planned(
    said: Occasions, start: datetime = FRIDAY, zone: str = "UTC", calls: Floats | None = None, **changes: Any
) -> WarmupPlan:
    calls = np.zeros(0) if calls is None else calls
    values: dict[str, Any] = {
        "start": start,
        "hours_ahead": 24,
        "time_zone": zone,
        "duration_ms": 1000.0,
        "init_ms": 500.0,
        "memory_mb": 1024,
        "rates": ARM_PINGS,
        "keep_alive_minutes": 10,
        "usd_per_cold_start": 3e-4,
        "minutes": calls[-15 * DAY_MINUTES :],
        "hours": calls.reshape(-1, 60).sum(axis=1) if len(calls) else None,
        "occasions": said,
    }
    return plan_warmups(WarmupRequest(**values | changes))


def warm(made: WarmupPlan, minute: int, keep_alive_minutes: int = 10) -> int:
    """Return the environments that pings hold through a minute: the ping's own minute does not count."""
    return max((n for at, n in made.pings if at < minute < at + keep_alive_minutes), default=0)


@settings(max_examples=examples(60), deadline=None)
@given(
    first=st.integers(0, 23 * 60),
    length=st.integers(1, 30 * 60),
    environments=st.integers(1, 60),
    keep_alive=st.integers(2, 60),
    limit=st.one_of(st.none(), st.integers(1, 50)),
    zone=st.sampled_from(ZONES),
)
def test_event_is_warm_without_any_history(
    first: int, length: int, environments: int, keep_alive: int, limit: int | None, zone: str
) -> None:
    begin = FRIDAY + timedelta(minutes=first)
    launch = Launch("launch", begin, begin + timedelta(minutes=length), environments)
    made = planned(Occasions(events=(launch,)), zone=zone, keep_alive_minutes=keep_alive, max_environments=limit)
    wanted = environments if limit is None else min(environments, limit)
    end = min(first + length, 24 * 60)
    for minute in range(max(first, 1), end):
        assert warm(made, minute, keep_alive) == wanted
    assert all(first - LEAD_MINUTES <= at < end and n == wanted for at, n in made.pings)
    # A ping is sent once in a life of the environments, not every minute.
    assert len(made.pings) <= (end - first + LEAD_MINUTES) / max(1, keep_alive - 1) + 1
    local = begin.astimezone(ZoneInfo(zone))
    asked = f"{local:%A}'s launch event asks for {environments} environments from {local - timedelta(minutes=5):%H:%M}"
    assert made.reason.startswith(asked)
    assert ("limited to" in made.reason) == (wanted < environments)
    assert made.occasions


@settings(max_examples=examples(12), deadline=None)
@given(
    weekdays=st.sets(st.integers(0, 6), min_size=1),
    hour=st.integers(1, 22),
    zone=st.sampled_from(ZONES),
    day=st.integers(0, 6),
)
def test_never_warm_hours_get_no_pings(weekdays: set[int], hour: int, zone: str, day: int) -> None:
    start = FRIDAY + timedelta(days=day)
    closed = NeverWarm(start=f"{hour - 1:02}:00", until=f"{hour + 1:02}:00")
    calls = bursts(start, zone, weekdays, hour)
    made = planned(Occasions(never=(closed,)), start, zone, calls)
    ahead = minute_of(start) + np.arange(DAY_MINUTES)
    local = (ahead + offsets_minutes(ZoneInfo(zone), ahead)) % DAY_MINUTES
    assert not any((hour - 1) * 60 <= local[at] < (hour + 1) * 60 for at, _ in made.pings)
    assert f"the policy allows no pings from {hour - 1:02}:00 to {hour + 1:02}:00" in made.reason


@settings(max_examples=examples(30), deadline=None)
@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    start=st.integers(0, 23),
    until=st.integers(0, 23),
    environments=st.integers(1, 9),
    zone=st.sampled_from(ZONES),
    day=st.integers(0, 6),
)
def test_always_warm_hours_are_warm(
    days: set[str], start: int, until: int, environments: int, zone: str, day: int
) -> None:
    """In the function's own zone, past midnight too; whether clocks change or not."""
    now = FRIDAY + timedelta(days=day)
    hours = AlwaysWarm(days=tuple(days), start=f"{start:02}:00", until=f"{until:02}:00", environments=environments)
    made = planned(Occasions(always=(hours,)), now, zone)
    for minute in range(1, DAY_MINUTES, 7):
        at = (now + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
        on = at if at.hour >= start else at - timedelta(days=1)
        inside = start <= at.hour < until if start < until else at.hour >= start or at.hour < until
        if inside and DAYS[on.weekday()] in days:
            assert warm(made, minute) == environments


@pytest.mark.parametrize("level", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_sale_day_is_like_another_at_its_level(level: float, zone: str) -> None:
    """Saturdays have a burst at ten; the Friday of the sale has it too, with so many more environments."""
    start = FRIDAY.replace(tzinfo=ZoneInfo(zone))
    calls = bursts(start, zone, {5}, 10)
    sale = Occasions(days=(UnusualDay(on=date(2026, 10, 30), like="saturday", level=level),))
    ordinary = planned(Occasions(), start, zone, calls)
    saturday = planned(Occasions(), start + timedelta(days=1), zone, np.roll(calls, -DAY_MINUTES))
    made = planned(sale, start, zone, calls)
    assert warm(ordinary, 10 * 60) == 0
    assert warm(made, 10 * 60) == pytest.approx(level * warm(saturday, 10 * 60), abs=1)
    assert "Friday, 30 October is planned like a Saturday" in made.reason
    assert (f"{level:g} times its level" in made.reason) == (level != 1)


def test_day_before_a_holiday_is_like_those_before() -> None:
    """Afternoons before three past holidays were silent, and mornings after them twice as busy."""
    start = datetime(2026, 10, 30, tzinfo=UTC)
    past = [date(2026, 9, 9), date(2026, 9, 24), date(2026, 10, 13)]
    days = local_minutes(start, "UTC", 63) // DAY_MINUTES
    of_day = local_minutes(start, "UTC", 63) % DAY_MINUTES
    rests = np.isin(days, [day.toordinal() - 719163 for day in past]) | ((days + 3) % 7 >= 5)
    eve = np.isin(days + 1, [day.toordinal() - 719163 for day in past])
    calls = np.where(~rests & np.isin(of_day // 10, (54, 90)), 60.0, 0.0)
    calls = np.where(eve & (of_day >= 720), 0.0, calls)
    # Pings cost so much that only a likely burst pays for them.
    worth = {"usd_per_cold_start": 1.2e-5}
    eve_ahead = Occasions(holidays=frozenset([*past, date(2026, 10, 31)]))
    ordinary = Occasions(holidays=frozenset(past))
    assert warm(planned(ordinary, start, "UTC", calls, **worth), 15 * 60) > 0
    assert warm(planned(eve_ahead, start, "UTC", calls, **worth), 15 * 60) == 0
    assert warm(planned(eve_ahead, start, "UTC", calls, **worth), 9 * 60) > 0


@pytest.mark.parametrize(("day", "next_one"), [(1, date(2026, 11, 1)), (31, date(2026, 10, 31))])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_job_of_the_first_or_last_day_of_a_month_is_met(day: int, next_one: date, zone: str) -> None:
    """It runs at 03:00 on whatever weekday that day is, beside daily calls at 10:00; other nights get nothing."""
    start = datetime(next_one.year, next_one.month, next_one.day, tzinfo=ZoneInfo(zone))
    local = local_minutes(start, zone, 63)
    dates = [date(1970, 1, 1) + timedelta(days=int(number)) for number in np.unique(local // DAY_MINUTES)]
    on = (
        [each for each in dates if each.day == 1]
        if day == 1
        else [each for each in dates if (each + timedelta(days=1)).day == 1]
    )
    runs = np.isin(local // DAY_MINUTES, [(each - date(1970, 1, 1)).days for each in on])
    of_day = local % DAY_MINUTES // 10
    calls = np.where(runs & (of_day == 18) | (of_day == 60), 60.0, 0.0)
    assert warm(planned(Occasions(), start, zone, calls), 3 * 60) >= 5
    beside = start + timedelta(days=3)
    moved = np.append(calls[3 * DAY_MINUTES :], calls[-3 * DAY_MINUTES :])
    assert warm(planned(Occasions(), beside, zone, moved), 3 * 60) == 0
    assert warm(planned(Occasions(), beside, zone, moved), 10 * 60) >= 5


def test_past_sale_and_event_teach_nothing_about_other_days() -> None:
    start = datetime(2026, 10, 30, tzinfo=UTC)
    calls = bursts(start, "UTC", set(range(7)), 10)
    sale = start - timedelta(days=7)
    local = local_minutes(start, "UTC", 63)
    on_sale = local // DAY_MINUTES == (sale.date() - date(1970, 1, 1)).days
    surge = np.where(on_sale & (local % DAY_MINUTES // 60 == 15), 600.0, calls)
    event = Launch("launch", sale + timedelta(hours=15), sale + timedelta(hours=16), 10)
    for said in (
        Occasions(events=(event,)),
        Occasions(days=(UnusualDay(on=sale.date(), level=5.0),)),
    ):
        assert warm(planned(said, start, "UTC", surge), 10 * 60) == warm(planned(Occasions(), start, "UTC", calls), 600)
        assert warm(planned(said, start, "UTC", surge), 15 * 60) == 0
    assert warm(planned(Occasions(), start, "UTC", surge), 15 * 60) > 0


def test_event_counts_in_never_warm_hours_and_always_does_not() -> None:
    begin = FRIDAY + timedelta(hours=2)
    said = Occasions(
        events=(Launch("launch", begin, begin + timedelta(minutes=30), 4),),
        never=(NeverWarm(start="00:00", until="06:00"),),
        always=(AlwaysWarm(environments=2),),
    )
    made = planned(said)
    assert warm(made, 60) == 0
    assert warm(made, 125) == 4
    assert warm(made, 300) == 0
    assert warm(made, 600) == 2


def test_provisioned_environments_are_not_pinged_again() -> None:
    begin = FRIDAY + timedelta(hours=2)
    said = Occasions(events=(Launch("launch", begin, begin + timedelta(hours=1), 4),))
    assert planned(said, provisioned=np.full(DAY_MINUTES, 4.0)).pings == ()
    assert max(n for _, n in planned(said, provisioned=np.full(DAY_MINUTES, 3.0)).pings) == 4


def test_ping_of_closed_minutes_moves_to_the_first_open_one() -> None:
    wanted = np.zeros(60)
    wanted[:30] = -1
    assert with_occasions([(3, 2), (24, 3), (40, 1)], wanted, 10) == ((30, 3), (40, 1))


def test_nothing_wanted_needs_no_pings() -> None:
    assert held(np.zeros(100), 10) == []


def test_occasions_are_those_of_the_function() -> None:
    policy = Policy.from_document(
        {
            "version": 1,
            "time_zone": "Europe/Berlin",
            "warmups": {
                "events": [
                    {
                        "functions": ["shop-*"],
                        "from": "2026-12-04T18:00",
                        "until": "2026-12-04T20:00",
                        "environments": 4,
                    }
                ],
                "days": [{"on": "2026-11-27", "like": "saturday", "level": 2.0, "tags": {"team": "shop"}}],
                "never": [{"start": "00:00", "until": "06:00", "functions": ["batch"]}],
                "always": [{"environments": 1, "functions": ["shop-web"]}],
            },
        }
    )
    shop = occasions_of(policy, "shop-web", {"team": "shop"})
    assert [event.begin.astimezone(UTC).hour for event in shop.events] == [17]
    assert (len(shop.days), len(shop.never), len(shop.always)) == (1, 0, 1)
    batch = occasions_of(policy, "batch", {})
    assert (len(batch.events), len(batch.days), len(batch.never), len(batch.always)) == (0, 0, 1, 0)


REQUEST: dict[str, Any] = {
    "from": "2026-12-04T12:00:00Z",
    "timezone": "Europe/Berlin",
    "hours_ahead": 24,
    "duration_ms": 1000,
    "keep_alive_minutes": 10,
    "usd_per_cold_start": 0.0003,
    "minutes": [],
}


def test_plan_warmups_takes_the_words_of_a_policy() -> None:
    made = answer(
        {
            **REQUEST,
            "events": [{"name": "launch", "from": "2026-12-04T18:00", "until": "2026-12-04T20:00", "environments": 4}],
            "never": [{"start": "00:00", "until": "06:00"}],
            "always": [{"start": "22:00", "until": "02:00", "environments": 1}],
            "days": [{"on": "2026-12-05", "like": "sunday", "level": 0.5}],
            "holidays": ["2026-12-05"],
        }
    )
    # 18:00 in Berlin is five hours after the start.
    assert made["pings"][0] == (5 * 60 - LEAD_MINUTES, 4)
    assert max(minute for minute, _ in made["pings"]) < 11 * 60
    for words in (
        "Friday's launch event asks for 4 environments from 17:55 to 20:00",
        "the policy keeps 1 environment always warm from 22:00 to 02:00",
        "the policy allows no pings from 00:00 to 06:00",
        "Saturday, 05 December is planned like a Sunday, at 0.5 times its level",
    ):
        assert words in made["reason"]


def test_plan_warmups_refuses_what_a_policy_refuses() -> None:
    with pytest.raises(UnusableRequest, match=r"events\[0\].until: must be after from"):
        answer({**REQUEST, "events": [{"from": "2026-12-04T18:00", "until": "2026-12-04T18:00", "environments": 4}]})
