"""Holidays by country, region and the team's own days, chosen by function for every tuner."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, strategies as st
from optimizer.policy.check import InvalidPolicy, read_policy
from optimizer.policy.country_days import with_country_days
from optimizer.policy.model import Policy

TODAY = date(2026, 12, 1)
CALENDARS = {
    "bavaria": {"country": "DE", "region": "BY", "days": ["2026-12-24"], "half_days": ["2026-12-31"]},
    "france": {"country": "FR"},
}


def policy(**parts: Any) -> Policy:
    return with_country_days(read_policy(json.dumps({"version": 1, **parts})), TODAY)


def errors(**parts: Any) -> list[str]:
    with pytest.raises(InvalidPolicy) as invalid:
        read_policy(json.dumps({"version": 1, **parts}))
    return [str(error) for error in invalid.value.errors]


def test_calendar_holds_days_of_country_region_and_team() -> None:
    rest = policy(calendars=CALENDARS, functions={"calendar": "bavaria"}).rest_days("orders", {})
    assert {date(2026, 12, 25), date(2027, 1, 6), date(2026, 12, 24)} <= rest.holidays
    assert date(2026, 12, 23) not in rest.holidays
    assert rest.half_days == {date(2026, 12, 31)}


def test_working_days_are_no_holidays_of_the_country() -> None:
    calendars = {"shop": {"country": "DE", "working_days": ["2027-01-01"]}}
    rest = policy(calendars=calendars, functions={"calendar": "shop"}).rest_days("orders", {})
    assert date(2027, 1, 1) not in rest.holidays
    assert date(2026, 12, 25) in rest.holidays


def test_first_entry_with_a_calendar_that_fits_counts() -> None:
    read = policy(
        calendars=CALENDARS,
        functions={"calendar": "france"},
        overrides=[
            {"functions": ["*"], "tags": {"team": "x"}},
            {"functions": ["paris-*"], "calendar": "france"},
            {"functions": ["*"], "tags": {"place": "munich"}, "calendar": "bavaria"},
        ],
    )
    assert read.calendar_of("orders", {}) == "france"
    assert read.calendar_of("orders", {"place": "munich", "team": "x"}) == "bavaria"
    assert read.calendar_of("paris-shop", {"place": "munich"}) == "france"


def test_holidays_of_all_functions_stay_beside_calendars() -> None:
    read = policy(calendars=CALENDARS, functions={"calendar": "france"}, warmups={"holidays": ["2026-12-09"]})
    assert {date(2026, 12, 9), date(2026, 12, 25)} <= read.rest_days("orders", {}).holidays
    assert policy(warmups={"holidays": ["2026-12-09"]}).rest_days("orders", {}).holidays == {date(2026, 12, 9)}


def test_unknown_places_names_and_days_are_errors() -> None:
    assert errors(
        calendars={"a": {"country": "XX"}, "b": {"country": "DE", "region": "ZZ"}, "c": {"region": "BY"}}
    ) == [
        'calendars.a.country: "XX" has no known holidays; use an ISO 3166 code such as DE, and days for others.',
        'calendars.b.region: "ZZ" is not a part of DE; known: Augsburg, BB, BE, BW, BY, HB, HE, HH, MV, NI, NW, RP, '
        "SH, SL, SN, ST, TH.",
        "calendars.c.region: needs country.",
    ]
    assert errors(calendars=CALENDARS, functions={"calendar": "spain"}, overrides=[{"calendar": "italy"}]) == [
        'functions.calendar: "spain" is not in calendars; known: bavaria, france.',
        'overrides[0].calendar: "italy" is not in calendars; known: bavaria, france.',
    ]
    assert errors(calendars={"a": {"half_days": ["2026-02-30"]}}) == [
        'calendars.a.half_days[0]: "2026-02-30" is not a day of the calendar.'
    ]


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_days_are_known_for_the_weeks_behind_and_the_year_ahead(today: date) -> None:
    read = with_country_days(read_policy(json.dumps({"version": 1, "calendars": {"x": {"country": "DE"}}})), today)
    days = read.calendars["x"].days
    assert read.calendars["x"].country is None
    assert date(today.year + 1, 12, 25) in days
    assert all((day - today).days >= -70 for day in days)
