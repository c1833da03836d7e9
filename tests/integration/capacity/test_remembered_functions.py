"""Daily plans of the capacity of a function: which calls they take, and that no change is proposed from memory."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from local_account.lambda_twin import Twin
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.planner import CapacityPlanner
from optimizer.capacity.propose import plan_function
from optimizer.capacity.provisioned import PlacedTimetables
from optimizer.core import canonical_json
from optimizer.core.change import Tuner
from optimizer.core.clock import minute_of
from optimizer.function_logs import FunctionHistory, LoggedReport, LogsUnreadable, ReportLine
from optimizer.policy.model import Policy
from optimizer.report.collect import read_findings
from optimizer.store import NoSuchDocument, Proposals
from optimizer.traffic.history import (
    DAY_MINUTES,
    HOUR_METRICS,
    History,
    Series,
    empty_series,
    hours_from_minutes,
)

from tests.helpers.rates import PRICES

RUN = "run-1"
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
QUIET, BUSY = 1.0, 110.0


class Bucket:
    """Documents in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def read_bytes(self, key: str) -> bytes:
        if key not in self.kept:
            raise NoSuchDocument(key)
        return self.kept[key]

    def read(self, key: str) -> Any:
        return json.loads(self.read_bytes(key))

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.kept if key.startswith(prefix))

    def write(self, key: str, document: object) -> str:
        self.kept[key] = canonical_json.dumps(document).encode()
        return key


class NoLog:
    """A log that cannot be read; it counts who tries."""

    def __init__(self) -> None:
        self.tries = 0

    def scan(self, *_: Any, **__: Any) -> Any:
        self.tries += 1
        raise LogsUnreadable("there is no log")

    scan_hours = scan


class Days:
    """One function, planned day after day by the lists that its state gives."""

    def __init__(self) -> None:
        self.bucket: Any = Bucket()
        self.twin = Twin()
        self.twin.clock = lambda: self.now
        self.now = NOW
        self.lists: dict[str, Any] = {}
        self.observed: dict[str, str] = {}
        self.others = True
        self.tags: dict[str, Any] = {}
        self.log: Any = NoLog()
        self.pinged_since: list[datetime] = []
        self.is_pinged = True
        self.policy = Policy()
        self.call(QUIET)

    def call(self, a_minute: float) -> None:
        """Call the function so many times in each minute of the past two weeks."""
        length = 14 * DAY_MINUTES
        values = {
            "invocations": np.full(length, a_minute),
            "duration_ms": np.full(length, 2000.0),
            "concurrency": np.full(length, 4.0),
        }
        history = History(Series(minute_of(self.now) - length, values), empty_series(HOUR_METRICS))
        self.bucket.kept["history/orders.npz"] = history.to_bytes()
        self.calls_day = a_minute * DAY_MINUTES

    def plan(self, tuner: Tuner = Tuner.PROVISIONED_CONCURRENCY) -> tuple[Proposals, list[str]]:
        """Return the proposals of the next day, and the calls that they took."""
        target = {
            "function_name": "orders",
            "function_arn": self.twin.arn,
            "alias": "live",
            "timezone": "UTC",
            "tags": {},
            **self.tags,
        }
        fingerprint = canonical_json.sha256([self.twin.latest, self.twin.latest_revision])
        batch = {"functions": [target], "tuners": [tuner], "fingerprints": {"orders": fingerprint}, **self.lists}
        traffic: Mapping[str, Any] = {"invocations_day": self.calls_day, "need": {"max": 4}, "days": 14.0}
        self.bucket.write(f"runs/{RUN}/batches/0000.json", batch)
        self.bucket.write(f"runs/{RUN}/traffic/0000.json", {"functions": {"orders": traffic}, "failed": {}})
        scaling: Any = self.twin.client("application-autoscaling")
        schedules: Any = type("Target", (), {"group": "timetables"})
        timetables = PlacedTimetables(self.twin.client("scheduler"), scaling, schedules)  # type: ignore[arg-type]
        functions: Any = self.twin.client("lambda")
        account = LambdaAccount(functions, scaling, timetables)
        planner = CapacityPlanner(
            self.bucket,
            account,
            self.log,
            self.policy,
            RUN,
            self.now,
            PRICES,
            observed=lambda _targets: self.observed,
            pinged=self.pinged,
        )
        self._remember_another()
        self.twin.calls.clear()
        proposals = planner.plan("0000")
        self.now += DAY
        return proposals, [call for call in self.twin.calls if call.startswith(("get_", "list_prov", "list_alias"))]

    def pinged(self, function_name: str, since: datetime) -> bool:
        assert function_name == "orders"
        self.pinged_since.append(since)
        return self.is_pinged

    def know_lines(self) -> None:
        """Store what thousands of calls of the version told, up to a day ago."""
        report = ReportLine("1", 50.0, 50.0, 1024, 90)
        until = self.now - DAY
        lines = [LoggedReport(until - timedelta(seconds=n), "1", report) for n in range(6000)]
        self.bucket.write("history/capacity/orders.json", FunctionHistory().add(lines, until, until - DAY))

    def _remember_another(self) -> None:
        """Make another function the one of the batch that is due next."""
        key = "history/capacity/batch.0000.json"
        if key in self.bucket.kept:
            document = self.bucket.read(key)
            known = document["remembered"].get("orders")
            if known and self.others:
                document["remembered"]["another"] = {**known, "read_at": (NOW - 20 * DAY).isoformat()}
                self.bucket.write(key, document)


@pytest.mark.parametrize(
    ("tags", "is_pinged", "tuner", "tries"),
    [
        ({"warmup_ready": True}, False, Tuner.PROVISIONED_CONCURRENCY, 0),
        ({"warmup_ready": True}, True, Tuner.PROVISIONED_CONCURRENCY, 1),
        ({}, True, Tuner.PROVISIONED_CONCURRENCY, 0),
        ({"warmup_ready": True}, False, Tuner.MEMORY, 1),
    ],
)
def test_lines_of_each_day_are_read_where_they_measure_something(
    tags: dict[str, Any], is_pinged: bool, tuner: Tuner, tries: int
) -> None:
    days = Days()
    days.tags, days.is_pinged = tags, is_pinged
    days.know_lines()
    proposals, _ = days.plan(tuner)
    assert days.log.tries == tries
    assert not proposals.failed
    # A reading stands for eight days, so pings of that time may have been sent since the last one.
    assert set(days.pinged_since) <= {NOW - timedelta(days=8)}


def failing_since_yesterday(days: Days, share: float) -> None:
    """Let a share of the calls of the last day fail, in a history of hours, and let a version have come then."""
    days.know_lines()
    document = days.bucket.read("history/capacity/orders.json")
    first = (days.now - DAY).isoformat()
    size = document["by_version"].pop("1")["1024"]
    older = {"first_at": (days.now - 9 * DAY).isoformat(), "last_at": first}
    document["by_version"] = {"0": {"1024": {**size, **older}}, "1": {"1024": {**size, "first_at": first}}}
    days.bucket.write("history/capacity/orders.json", document)
    history = History.from_bytes(days.bucket.kept["history/orders.npz"])
    hours = hours_from_minutes(history.minutes)
    calls = np.full(len(hours), 600.0)
    errors = np.where(np.arange(len(hours)) >= len(hours) - 24, np.round(calls * share), 0.0)
    values = {name: np.full(len(hours), np.nan) for name in HOUR_METRICS}
    values |= {**hours.values, "invocations": calls, "errors": errors, "throttles": np.zeros(len(hours))}
    days.bucket.kept["history/orders.npz"] = History(history.minutes, Series(hours.start, values)).to_bytes()


@pytest.mark.parametrize(("share", "given"), [(0.05, ["errors"]), (0.0, [])])
def test_plan_gives_advice_with_the_deploy(share: float, given: list[str]) -> None:
    """No call is made for it: what is read for the capacity tells it."""
    days = Days()
    failing_since_yesterday(days, share)
    proposals, calls = days.plan()
    assert calls == READ
    proposals.write(days.bucket, RUN, "capacity-0000")
    document = days.bucket.read(f"runs/{RUN}/proposals/capacity-0000.json")
    found = document.get("advice", {}).get(days.twin.arn, [])
    assert [one["subject"] for one in found] == given
    assert [one["deploy"] for one in found] == ["1"] * len(given)
    assert [(one.target, one.subject) for one in read_findings(days.bucket, RUN).advice] == [
        ("orders", subject) for subject in given
    ]


@pytest.mark.parametrize(("max_p99_init_ms", "given"), [(200.0, ["latency_goal"]), (2000.0, [])])
def test_plan_says_which_way_keeps_a_goal_of_latency(max_p99_init_ms: float, given: list[str]) -> None:
    days = Days()
    days.policy = Policy.from_document(
        {"version": 1, "advice": {"latency_goals": [{"functions": ["ord*"], "max_p99_init_ms": max_p99_init_ms}]}}
    )
    failing_since_yesterday(days, 0.0)
    until = days.now - DAY
    report = ReportLine("1", 50.0, 50.0, 1024, 90, init_ms=900.0)
    lines = [LoggedReport(until - timedelta(seconds=n), "1", report) for n in range(6000)]
    days.bucket.write("history/capacity/orders.json", FunctionHistory().add(lines, until, until - DAY))
    proposals, calls = days.plan()
    assert calls == READ
    found = proposals.advice.get(days.twin.arn, ())
    assert [one.subject for one in found if one.subject != "snap_start"] == given  # type: ignore[attr-defined]


READ = ["get_function", "get_function", "list_provisioned_concurrency_configs"]


def test_function_is_read_once_while_nothing_changes() -> None:
    days = Days()
    assert days.plan()[1] == READ
    proposals, calls = days.plan()
    assert calls == []
    assert not proposals.changes
    assert proposals.no_changes
    look = days.bucket.read("history/capacity/batch.0000.json")["functions"]["orders"]
    assert (look["memory_mb"], look["is_live"]) == (1024, False)


def test_change_is_proposed_after_the_function_was_read_again() -> None:
    """Traffic grows over night; the alias was moved to a version of another size, which no list shows."""
    days = Days()
    days.plan()
    days.twin.versions["2"] = {**days.twin.latest, "MemorySize": 2048}
    days.twin.alias = {"version": "2", "weights": {}, "revision": "a1"}
    days.call(BUSY)
    proposals, calls = days.plan()
    assert set(READ) | {"get_alias"} <= set(calls)
    (change,) = proposals.changes
    assert change.evidence["memory_mb"] == 2048
    # Once applied, provisioned concurrency leaves no trace in the lists: the function is read until it is known again.
    assert days.plan()[1] != []


@pytest.mark.parametrize("remembered", [False, True])
def test_function_that_is_as_it_was_is_planned_once(remembered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it again before a change shows the revision of its alias, and nothing else that is new."""
    planned = []

    def counted(*facts: Any) -> Any:
        planned.append(facts)
        return plan_function(*facts)

    days = Days()
    if remembered:
        days.plan()
    monkeypatch.setattr("optimizer.capacity.planner.plan_function", counted)
    days.call(BUSY)
    proposals, calls = days.plan()
    assert len(proposals.changes) == 1
    assert "get_alias" in calls
    assert len(planned) == 1


def test_no_change_where_reading_again_shows_a_deployment() -> None:
    days = Days()
    days.plan()
    days.twin.versions["2"] = dict(days.twin.latest)
    days.twin.alias = {"version": "1", "weights": {"2": 0.1}, "revision": "a1"}
    days.call(BUSY)
    proposals, _ = days.plan()
    assert not proposals.changes
    assert "shifting traffic" in proposals.no_changes[0].reason


def updated(days: Days) -> None:
    days.twin.team_sets_timeout()


def met_provisioned(days: Days) -> None:
    days.lists["provisioned"] = ["orders"]


def under_observation(days: Days) -> None:
    days.observed = {days.twin.arn: "A change is under observation."}


def scaled(days: Days) -> None:
    days.twin.bounds = [1, 3]


@pytest.mark.parametrize("happened", [updated, met_provisioned, under_observation, scaled])
def test_function_is_read_where_a_list_shows_a_difference(happened: Any) -> None:
    days = Days()
    days.plan()
    happened(days)
    assert set(READ) <= set(days.plan()[1])


def test_unused_provisioned_concurrency_is_found_when_due() -> None:
    days = Days()
    days.plan()
    days.twin.provisioned = {"requested": 3, "status": "READY"}
    assert days.plan()[1] == []
    days.others = False
    # From then on it is read every day, while it is held.
    assert all(READ[-1] in days.plan()[1] for _ in range(3))


def test_function_without_an_alias_is_known_by_its_tag() -> None:
    """IAM may refuse what does not exist, because it has no tag."""
    days = Days()
    days.twin.alias_name = "other"
    read = days.twin.get_function

    def refusing(FunctionName: str, Qualifier: str = "$LATEST") -> dict[str, Any]:  # noqa: N803
        if Qualifier == "live":
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFunction")
        return read(FunctionName=FunctionName, Qualifier=Qualifier)

    days.twin.get_function = refusing  # type: ignore[method-assign]
    proposals, _ = days.plan()
    assert list(proposals.failed.values()) == [
        "orders has no alias live; memory and provisioned concurrency are only changed behind an alias"
    ]
