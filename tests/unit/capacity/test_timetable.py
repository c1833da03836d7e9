"""A week of provisioned concurrency in local time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.capacity.provisioned.timetable import MalformedTimetable, Timetable
from optimizer.prices import aws_lambda

from tests.helpers.examples import examples
from tests.helpers.rates import X86

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Timetable.of_hours([3 if h // 24 < 5 and 8 <= h % 24 < 18 else 0 for h in range(168)], "Europe/Berlin")


def test_more_is_requested_early_and_less_on_the_hour() -> None:
    assert [(entry.at, entry.environments, entry.cron) for entry in OFFICE.entries] == [
        ("07:58", 3, "cron(58 7 ? * MON,TUE,WED,THU,FRI *)"),
        ("18:00", 0, "cron(0 18 ? * MON,TUE,WED,THU,FRI *)"),
    ]


def test_midnight_start_is_requested_the_day_before() -> None:
    night = Timetable.of_hours(([2, 2] + [0] * 22) * 7, "UTC")
    assert [(entry.at, entry.days) for entry in night.entries] == [
        ("02:00", tuple(range(7))),
        ("23:58", tuple(range(7))),
    ]
    monday = Timetable.of_hours([1] + [0] * 167, "UTC")
    assert [(entry.at, entry.days) for entry in monday.entries] == [("01:00", (0,)), ("23:58", (6,))]


def test_timetable_reads_as_a_phrase() -> None:
    assert OFFICE.words() == "3 provisioned from 08:00 to 18:00 on weekdays, Europe/Berlin"
    two = [2 if h % 24 == 9 else 1 if h // 24 in (5, 6) and h % 24 == 12 else 0 for h in range(168)]
    assert Timetable.of_hours(two, "UTC").words() == (
        "2 provisioned from 09:00 to 10:00 on weekdays; 2 from 09:00 to 10:00, 1 from 12:00 to 13:00 on weekends, UTC"
    )
    assert "on Mondays and Wednesdays" in Timetable.of_hours([int(h in (9, 57)) for h in range(168)], "UTC").words()


@pytest.mark.parametrize(
    ("at", "environments"),
    [
        (datetime(2026, 11, 23, 7, 57, 59, tzinfo=BERLIN), 0),
        (datetime(2026, 11, 23, 7, 58, tzinfo=BERLIN), 3),
        (datetime(2026, 11, 23, 16, 59, tzinfo=UTC), 3),
        (datetime(2026, 11, 23, 17, 0, tzinfo=UTC), 0),
        (datetime(2026, 11, 22, 12, tzinfo=BERLIN), 0),
        # In summer the same local hour comes an hour earlier.
        (datetime(2026, 7, 6, 5, 58, tzinfo=UTC), 3),
    ],
)
def test_timetable_follows_the_local_clock(at: datetime, environments: int) -> None:
    assert OFFICE.held_at(at) == environments


def test_month_costs_minutes_rounded_up_to_five() -> None:
    # 07:58 to 18:00 are 602 minutes, billed as 605.
    day = aws_lambda.provisioned_usd(X86, 1024, 3, 605 * 60)
    assert OFFICE.usd_month(X86, 1024) == pytest.approx(float(day) * 5 * 730 / 168)
    assert OFFICE.usd_dearest_day(X86, 1024) == pytest.approx(float(day), rel=0.01)


@given(
    st.lists(st.integers(0, 4), min_size=168, max_size=168), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])
)
def test_hours_survive_the_way_through_entries(hours: list[int], timezone: str) -> None:
    made = Timetable.of_hours(hours, timezone)
    if len(set(hours)) == 1:
        assert made.entries == ()
        return
    assert made.hours() == tuple(hours)
    assert Timetable.from_document(made.document()) == made
    assert made.most == max(hours)
    start = datetime(2026, 3, 28, tzinfo=UTC)
    minutes = made.held_minutes(start, start + timedelta(days=2))
    assert minutes[::97] == [made.held_at(start + timedelta(minutes=n)) for n in range(0, 2880, 97)]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"timezone": "UTC", "entries": []},
        {"timezone": "Nowhere/None", "entries": [{"days": ["MON"], "at": "08:00", "environments": 1}]},
        {"timezone": "UTC", "entries": [{"days": ["MON"], "at": "08:00", "environments": -1}]},
        {"timezone": "UTC", "entries": [{"days": ["MON"], "at": "08:00", "environments": True}]},
        {"timezone": "UTC", "entries": [{"days": ["MON"], "at": "08:00", "environments": n} for n in (1, 2)]},
    ],
)
def test_malformed_timetable_is_rejected(document: dict) -> None:
    with pytest.raises(MalformedTimetable):
        Timetable.from_document(document)


def test_holiday_holds_no_more_than_a_sunday() -> None:
    wednesday = datetime(2026, 11, 25, 12, tzinfo=BERLIN)
    free = replace(OFFICE, holidays=frozenset({wednesday.date()}))
    assert [free.held_at(wednesday + timedelta(days=days)) for days in (-1, 0, 1)] == [3, 0, 3]
    start = wednesday - timedelta(hours=12)
    assert sum(free.held_minutes(start, start + timedelta(days=1))) == 0
    assert free.hours() == OFFICE.hours()
    assert Timetable.from_document(free.document()) == free


@settings(max_examples=examples(15), deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=168, max_size=168).filter(lambda hours: len(set(hours)) > 1),
    st.sets(st.integers(0, 13), max_size=5),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
)
def test_holiday_never_adds_environments(hours: list[int], off: set[int], zone: str) -> None:
    """Held by the minute and at a moment are the same, on holidays of any week, clock changes included."""
    start = datetime(2026, 10, 19, tzinfo=ZoneInfo(zone))
    usual = Timetable.of_hours(hours, zone)
    free = replace(usual, holidays=frozenset((start + timedelta(days=day)).date() for day in off))
    begin, end = start.astimezone(UTC), (start + timedelta(days=14)).astimezone(UTC)
    held, ordinary = free.held_minutes(begin, end), usual.held_minutes(begin, end)
    assert all(few <= many for few, many in zip(held, ordinary, strict=True))
    for minute in range(0, len(held), 397):
        at = begin + timedelta(minutes=minute)
        assert held[minute] == free.held_at(at)
        if not off:
            assert held[minute] == ordinary[minute]
