"""Four weeks of the calendar: schedules, state machines, people who respond early, late or never, windows and freezes.

`make test-weeks` plays the whole table; a normal run plays a few days of some rows.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from optimizer.core import Status, StoredChange, Tuner
from optimizer.guardrails import calendar
from optimizer.policy import Policy
from shipped_template import TEMPLATE

from tests.helpers.faults.samples import VARIABLES
from tests.helpers.faults.stage import Stage, stage
from tests.helpers.weeks.account import Weeks
from tests.helpers.weeks.proposals import TARGETS

WHOLE = os.environ.get("TEST_WEEKS") == "whole"
DAYS = 28 if WHOLE else 4
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
DATABASE = {"name": "shop", "engine": "postgresql", "host": "db.example", "database": "shop", "user": "optimizer"}
CACHE = {
    "name": "shop",
    "memory_mb": 64,
    "parameter": "/shop/cache-ttls",
    "log_groups": ["/aws/lambda/orders"],
    "namespaces": [{"name": "price", "min_ttl_s": 5, "max_ttl_s": 300}],
}
THRESHOLDS = {name: shipped["Default"] for name, shipped in TEMPLATE["Parameters"].items() if "Hours" in name}
MODES = ("recommend", "approve", "auto")
RESPONSES = {"early": 0.5, "late": 9.0, "never": None, "rejected": 2.0}
WINDOWS: dict[str, dict[str, Any]] = {
    "any hour": {},
    "office hours": {"run": [{"start": "09:00", "until": "17:00", "days": ["mon", "tue", "wed", "thu", "fri"]}]},
    "nights": {"run": [{"start": "03:00", "until": "06:30"}]},
    "nights for indexes": {"indexes": [{"start": "22:00", "until": "02:00"}]},
}
FREEZES = {"no freeze": [], "a freeze": [{"first": "2026-11-25", "last": "2026-11-26", "reason": "sale"}]}
# Neither an hour of people nor one of windows: the steps of a run and of a change take seconds here.
SOON = timedelta(minutes=15)
DIMENSIONS: dict[str, tuple[str, ...]] = {
    **{tuner.value: MODES for tuner in Tuner},
    "people": tuple(RESPONSES),
    "windows": tuple(WINDOWS),
    "freeze": tuple(FREEZES),
    "zone": ("UTC", "America/New_York"),
}


type Pair = tuple[tuple[str, str], tuple[str, str]]


def _gained(pairs: set[Pair], row: dict[str, str], name: str, value: str) -> int:
    fixed = {**row, name: value}
    return sum(fixed.get(one) == a and fixed.get(two) == b for (one, a), (two, b) in pairs)


def pairwise(dimensions: dict[str, tuple[str, ...]]) -> Iterator[dict[str, str]]:
    """Yield rows that together hold every pair of values of two dimensions."""
    names = list(dimensions)
    pairs = {
        ((one, a), (two, b))
        for n, one in enumerate(names)
        for two in names[n + 1 :]
        for a in dimensions[one]
        for b in dimensions[two]
    }
    while pairs:
        (one, a), (two, b) = min(pairs)
        row = {one: a, two: b}
        for name in names:
            if name not in row:
                row[name] = max(dimensions[name], key=partial(_gained, pairs, row, name))
        pairs = {((x, y), (z, w)) for (x, y), (z, w) in pairs if row[x] != y or row[z] != w}
        yield {name: row[name] for name in names}


ROWS = list(pairwise(DIMENSIONS))


@dataclass
class Calendar:
    """A row of the table, played."""

    row: dict[str, str]
    weeks: Weeks
    policy: Policy
    changes: list[StoredChange] = field(default_factory=list)

    def of(self, *modes: str) -> list[StoredChange]:
        return [one for one in self.changes if self.row[one.change.tuner] in modes]


def document(row: dict[str, str]) -> dict[str, Any]:
    windows = WINDOWS[row["windows"]]
    found: dict[str, Any] = {tuner.value: {"mode": row[tuner]} for tuner in Tuner}
    found["indexes"] |= {"databases": [DATABASE], "windows": windows.get("indexes", [])}
    found["cache_ttls"] |= {"caches": [CACHE]}
    run = {"max_changes_share": 1.0, "windows": windows.get("run", []), "freezes": FREEZES[row["freeze"]]}
    people = {"approvers": [{"name": "anna"}]}
    return {"version": 1, "time_zone": row["zone"], **found, "run": run, "approvals": people}


@pytest.fixture
def account(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    with stage(request, monkeypatch) as made:
        yield made


@pytest.fixture
def played(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, account: Stage) -> Calendar:
    row: dict[str, str] = request.param
    weeks = Weeks(account, document(row), RESPONSES[row["people"]], approves=row["people"] != "rejected")
    weeks.begin(monkeypatch, MONDAY)
    weeks.live(DAYS)
    return Calendar(row, weeks, Policy.from_document(document(row)), _changes(account))


def _changes(made: Stage) -> list[StoredChange]:
    return made.store.changes_since(MONDAY - timedelta(days=1), 10_000)


NAMES = ["-".join(row.values()).replace(" ", "_") for row in ROWS]


PLAYED = slice(None) if WHOLE else slice(1, 4)


@pytest.mark.parametrize("played", ROWS[PLAYED], indirect=True, ids=NAMES[PLAYED])
def test_weeks_of_the_calendar(played: Calendar) -> None:
    nothing_failed(played)
    nothing_is_refused(played)
    nothing_asked_for_is_skipped(played)
    nothing_automatic_waits_for_people(played)
    what_is_approved_is_applied(played)
    no_alarm_without_cause(played)
    one_mail_a_day(played)


def nothing_failed(played: Calendar) -> None:
    assert set(played.weeks.ends.values()) == {"SUCCEEDED"}, played.weeks.ends


def nothing_is_refused(played: Calendar) -> None:
    """No guardrail is hit in this account, so nothing may end as blocked or outdated."""
    wrong = [one for one in played.changes if one.status in (Status.REFUSED, Status.STALE, Status.FAILED)]
    assert not wrong, [(one.change.run_id, one.change.tuner, one.status, one.message) for one in wrong]


def nothing_asked_for_is_skipped(played: Calendar) -> None:
    """Each run speaks of each target of each tuner it was started for, and in weeks each of them is proposed."""
    documents = played.weeks.stage.documents
    for name in played.weeks.runs():
        try:
            plan = documents.read(f"runs/{name}/plan.json")
        except LookupError:
            # Such a run does nothing unless pings are automatic.
            assert name.startswith("warmups")
            assert played.row["warmups"] != "auto"
            continue
        said = Counter(one["change"]["tuner"] for one in plan["proposals"])
        said += Counter(one["tuner"] for one in plan["no_changes"])
        asked = {"daily": ("warmups", "provisioned_concurrency"), "weekly": ("memory", "indexes", "cache_ttls")}
        tuners = asked.get(name.partition("-")[0], ("warmups",))
        assert said == {tuner: len(TARGETS[Tuner(tuner)]) for tuner in tuners}, name
    proposed = {(one.change.tuner, one.change.target) for one in played.changes}
    wanted = {(tuner, target) for tuner in Tuner for target in TARGETS[tuner]}
    assert not wanted - proposed


def nothing_automatic_waits_for_people(played: Calendar) -> None:
    for one in played.of("auto"):
        decided = min(one.times.values())
        opens = calendar.opens_at(played.policy, decided, one.change.tuner)
        assert opens is not None
        applied = one.times.get("applying")
        if applied is None:
            assert one.status is Status.APPROVED
            assert opens + SOON > MONDAY + timedelta(days=DAYS)
            continue
        assert applied - opens < SOON, (one.change.run_id, one.change.tuner, decided, applied, opens)
    for name in played.weeks.runs():
        assert played.weeks.took["optimize", name] < SOON, name


def what_is_approved_is_applied(played: Calendar) -> None:
    """As soon as people have said so, or when the window opens then."""
    ends = MONDAY + timedelta(days=DAYS)
    for one in played.of("approve"):
        approved = one.times.get("approved")
        if approved is None:
            continue
        opens = calendar.opens_at(played.policy, approved, one.change.tuner)
        if opens is not None and opens + timedelta(days=1) < ends:
            assert "applying" in one.times, (one.change.run_id, one.change.tuner, one.message)
            assert calendar.closed(played.policy, one.times["applying"], one.change.tuner) is None
            assert (one.waits_until is None) or one.message


def no_alarm_without_cause(played: Calendar) -> None:
    said = played.weeks.said
    by_name: dict[str, list[float]] = {}
    for _, name, value in said:
        by_name.setdefault(name, []).append(value)
    assert max(by_name["GoodRunAgeHours"]) <= THRESHOLDS["GoodRunHours"]
    assert max(by_name["GoodWeeklyRunAgeHours"]) <= THRESHOLDS["GoodWeeklyRunHours"]
    assert max(by_name["RunHeldHours"]) <= 5
    assert sum(by_name["GuardrailsHit"]) == 0
    assert sum(by_name.get("ChangesTakenBack", [])) == 0
    if played.row["people"] != "never":
        assert max(by_name["ApprovalWaitsHours"]) <= THRESHOLDS["ApprovalWaitHours"]


def one_mail_a_day(played: Calendar) -> None:
    """Only requests and what came of them are messages of their own: somebody has something to do, or did it."""
    zone = ZoneInfo(played.policy.time_zone)
    mails = Counter(at.astimezone(zone).date() for at, subject in played.weeks.mails if "approv" not in subject.lower())
    assert all(number == 1 for number in mails.values()), played.weeks.mails
    asked = [subject for _, subject in played.weeks.mails if "approv" in subject.lower()]
    assert bool(asked) <= bool(played.of("approve"))


def ages(weeks: Weeks, metric: str) -> list[float]:
    return [value for _, name, value in weeks.said if name == metric]


def with_pings_and_approvals(monkeypatch: pytest.MonkeyPatch, made: Stage, **more: Any) -> Weeks:
    modes = {"warmups": {"mode": "auto"}, "provisioned_concurrency": {"mode": "approve"}}
    policy = {"version": 1, **modes, "run": {"max_changes_share": 1.0}, "approvals": {"approvers": [{"name": "anna"}]}}
    weeks = Weeks(made, policy, **more)
    weeks.begin(monkeypatch, MONDAY)
    return weeks


def test_requests_that_wait_long_are_no_sign_of_missing_runs(monkeypatch: pytest.MonkeyPatch, account: Stage) -> None:
    """Every request is answered after 13 hours: that is told by the alarm on requests, and by no other one."""
    weeks = with_pings_and_approvals(monkeypatch, account, respond_hours=13.0)
    weeks.live(3, ("Daily", "Warmups"))
    # What was applied in the evening is in its cool-down on the next morning.
    assert [outcome for _, outcome in weeks.responses] == ["answered"] * 2
    assert max(ages(weeks, "GoodRunAgeHours")) <= 24.1
    assert max(ages(weeks, "RunHeldHours")) == 0
    assert 11.9 < max(ages(weeks, "ApprovalWaitsHours")) < 13


def test_a_daily_run_that_never_succeeds_is_not_hidden(monkeypatch: pytest.MonkeyPatch, account: Stage) -> None:
    """The runs for warm-ups succeed several times a day."""
    weeks = with_pings_and_approvals(monkeypatch, account)
    weeks.live(1, ("Daily", "Warmups"))
    weeks.broken_runs = frozenset({"daily"})
    weeks.live(3, ("Daily", "Warmups"), first_day=1)
    assert len(weeks.runs("FAILED")) == 3
    assert len([name for name in weeks.runs() if name.startswith("warmups")]) == 12
    over = [age for age in ages(weeks, "GoodRunAgeHours") if age > THRESHOLDS["GoodRunHours"]]
    assert len(over) >= 2


def test_the_table_holds_every_pair() -> None:
    seen = {((one, row[one]), (two, row[two])) for row in ROWS for one in row for two in row if one != two}
    for one, values in DIMENSIONS.items():
        for two, others in DIMENSIONS.items():
            assert one == two or all(((one, a), (two, b)) in seen for a in values for b in others)
    assert len(ROWS) < 40
