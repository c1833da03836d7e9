"""Pings and provisioned concurrency do not warm the same environments in the same hours."""

from datetime import UTC, datetime

import numpy as np
import pytest
from optimizer.core.clock import minute_of
from optimizer.policy.model import Warmups
from optimizer.traffic.history import HOUR_METRICS, History, Series, empty_series
from optimizer.warmups.already_provisioned import ProvisionedHours
from optimizer.warmups.plan import plan_warmups
from optimizer.warmups.propose import WarmedFunction, WarmupFacts, warmup_request

from tests.helpers.rates import ARM_PINGS

START = int(datetime(2026, 11, 9, tzinfo=UTC).timestamp()) // 60
OFFICE = ProvisionedHours("Europe/Berlin", tuple(2 if h // 24 < 5 and 8 <= h % 24 < 18 else 0 for h in range(168)))


def test_need_excludes_hours_with_enough_provisioned() -> None:
    """Minutes that need no more than is provisioned at their time of the day ahead need no pings."""
    need = np.full(7 * 1440, 2.0)
    need[:60] = np.nan
    # It ends on a Monday at midnight, UTC.
    left = OFFICE.unmet_need(need, START - len(need), 24).reshape(7, 24, 60)
    assert np.isnan(left[0, 0]).all()
    # In Berlin it is an hour later: from seven to seventeen UTC two are provisioned on that Monday.
    assert (left[:, 7:17] == 0).all()
    assert (left[1:, :7] == 2).all()
    assert (left[:, 17:] == 2).all()
    saturday = START + 5 * 1440
    assert (OFFICE.unmet_need(need, saturday - len(need), 24)[60:] == 2).all()


def test_ping_for_more_includes_the_provisioned_environments() -> None:
    assert (OFFICE.unmet_need(np.full(1440, 3.0), START - 1440, 24) == 3).all()


def test_no_pings_are_planned_for_hours_that_are_provisioned() -> None:
    minute = np.arange(14 * 1440)
    # Every day calls come at half past nine and at half past twenty, UTC.
    calls = np.where(np.isin(minute % 1440, (9 * 60 + 30, 20 * 60 + 30)), 2.0, 0.0)
    series = Series(START - len(minute), {
        "invocations": calls,
        "duration_ms": np.where(calls > 0, 900.0, np.nan),
        "concurrency": np.where(calls > 0, 2.0, np.nan),
    })  # fmt: skip
    policy, history = Warmups(), History(series, empty_series(HOUR_METRICS))
    every_day = ProvisionedHours("UTC", (2,) * 168)
    for provisioned, hours in ((None, {9, 20}), (OFFICE, {20}), (every_day, set())):
        request = warmup_request(history, "UTC", policy, WarmedFunction(512, ARM_PINGS, 500.0), provisioned)
        made = plan_warmups(request)
        assert {(at + 10) // 60 % 24 for at, _ in made.pings} == hours


DOCUMENT = {
    "timezone": "UTC",
    "hours": [0] * 84 + [3] * 84,
    "plan": "a" * 16,
    "proposed": {"timezone": "Asia/Tokyo", "hours": [2] * 168, "plan": "b" * 16},
}
WEEK = ProvisionedHours.from_document(DOCUMENT)


@pytest.mark.parametrize(
    ("known", "environments", "plans", "timezone", "hours"),
    [
        # The timetable that was found is in place.
        (WEEK, 0, {"a" * 16}, "UTC", WEEK.hours),
        # It was replaced by the one that was proposed then.
        (WEEK, 2, {"b" * 16}, "Asia/Tokyo", (2,) * 168),
        # It was rolled back, or somebody gave the environments back.
        (WEEK, 0, set(), "UTC", (0,) * 168),
        # An amount at all times replaced it.
        (WEEK, 4, set(), "UTC", (4,) * 168),
        # A timetable of another change, whose hours nobody told.
        (WEEK, 1, {"c" * 16}, "UTC", (1,) * 168),
        # An amount at all times was provisioned, and is not any more.
        (ProvisionedHours("UTC", (3,) * 168), 0, set(), "UTC", (0,) * 168),
        # A scaling target holds more at the moment than it always does.
        (ProvisionedHours("UTC", (1,) * 168, scaled=True), 5, set(), "UTC", (1,) * 168),
        (ProvisionedHours("UTC", (1,) * 168, scaled=True), 0, set(), "UTC", (0,) * 168),
        # Stored by an earlier version, without the mark of the timetable.
        (ProvisionedHours("UTC", WEEK.hours), 0, {"c" * 16}, "UTC", WEEK.hours),
        (ProvisionedHours("UTC", WEEK.hours), 0, set(), "UTC", (0,) * 168),
    ],
)
def test_provisioned_hours_are_those_of_now(
    known: ProvisionedHours, environments: int, plans: set[str], timezone: str, hours: tuple[int, ...]
) -> None:
    """plan_capacity looks once a day; warm-ups are planned four times."""
    assert known.may_have_changed(plans)
    now = known.now(environments, plans)
    assert (now.timezone, now.hours) == (timezone, hours)


def test_nothing_provisioned_is_not_asked_about_again() -> None:
    """One call for every function at each run would cost more than a day of pings that find warm environments."""
    nothing = ProvisionedHours("UTC", (0,) * 168)
    assert not nothing.may_have_changed(())
    assert nothing.may_have_changed({"a" * 16})
    assert ProvisionedHours("UTC", (0,) * 168, proposed=WEEK).may_have_changed(())


def test_reason_names_environments_that_serve_all_calls() -> None:
    minute = np.arange(14 * 1440)
    calls = np.where(np.isin(minute % 1440, (9 * 60 + 30, 20 * 60 + 30)), 2.0, 0.0)
    values = {"invocations": calls, "duration_ms": np.where(calls > 0, 900.0, np.nan), "concurrency": calls}
    series = Series(START - len(minute), values)
    never = Series(START - len(minute), {**values, "invocations": calls * 0})
    every_day = ProvisionedHours("UTC", (3,) * 168)

    def said(provisioned: ProvisionedHours | None, minutes: Series = series) -> str:
        return WarmupFacts(512, "arm64", ARM_PINGS, True, 0, (), provisioned).all_served(minutes, 24)

    assert said(every_day) == "3 provisioned environments serve all its calls"
    assert said(ProvisionedHours("UTC", (2,) * 167 + (3,))) == "up to 3 provisioned environments serve all its calls"
    assert said(OFFICE) == said(None) == said(every_day, never) == ""


def test_provisioned_hours_must_be_a_week() -> None:
    with pytest.raises(ValueError, match="168"):
        ProvisionedHours.from_document({"timezone": "UTC", "hours": [1, 2]})


def test_holiday_ahead_holds_no_more_than_a_sunday() -> None:
    office = tuple(3 if hour < 5 * 24 and 8 <= hour % 24 < 18 else int(hour % 24 == 9) for hour in range(168))
    start = datetime(2026, 11, 25, tzinfo=UTC)
    ahead = ProvisionedHours("UTC", office).ahead(minute_of(start), 48, {start.date()})
    assert ahead[9 * 60] == 1
    assert ahead[10 * 60] == 0
    assert ahead[(24 + 10) * 60] == 3
