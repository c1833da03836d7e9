"""What the schedules say of the application itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from optimizer.core import Approval, ApprovalStatus
from optimizer.run import run_health
from optimizer.store.run_store import RunStore

from tests.helpers.own_account import create_run_table
from tests.helpers.release_lock import release_lock

NOW = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        dynamodb: Any = boto3.client("dynamodb", "us-east-1")
        create_run_table(dynamodb)
        yield RunStore(dynamodb, "optimizer")


def run(store: RunStore, name: str, hours_ago: float, status: str = "") -> None:
    store.record_run(name, NOW - timedelta(hours=hours_ago))
    if status:
        store.finish_run(name, status, NOW - timedelta(hours=hours_ago - 0.1))


def test_without_runs_every_age_is_zero(store: RunStore) -> None:
    assert run_health(store, NOW) == {
        "GoodRunAgeHours": 0.0,
        "GoodWeeklyRunAgeHours": 0.0,
        "RunHeldHours": 0.0,
        "ApprovalWaitsHours": 0.0,
    }


def test_the_age_is_that_of_the_last_run_that_succeeded(store: RunStore) -> None:
    run(store, "sunday", 30, "succeeded")
    run(store, "monday", 6, "failed")
    assert run_health(store, NOW)["GoodRunAgeHours"] == 30.0


def test_without_a_success_the_age_is_that_of_the_first_run(store: RunStore) -> None:
    run(store, "saturday", 54, "failed")
    run(store, "sunday", 30, "failed")
    assert run_health(store, NOW)["GoodRunAgeHours"] == 54.0


DAILY = {"tuners": ["warmups", "provisioned_concurrency"]}
WEEKLY = {"tuners": ["memory", "indexes", "cache_ttls"]}


@pytest.mark.parametrize(
    ("recent", "daily", "weekly"),
    [
        ({"tuners": ["warmups"], "only_automatic": True}, 200.0, 500.0),
        (DAILY, 6.0, 500.0),
        (WEEKLY, 200.0, 6.0),
        ({"reason": "by hand"}, 6.0, 6.0),
        ({"functions": ["orders"]}, 200.0, 500.0),
        ({"databases": ["shop"]}, 200.0, 500.0),
        ({"review": True}, 200.0, 500.0),
    ],
)
def test_each_schedule_has_an_age_of_its_own(
    store: RunStore, recent: dict[str, Any], daily: float, weekly: float
) -> None:
    """Otherwise runs for warm-ups, which come four times a day, hide that no daily or weekly run succeeds."""
    for name, hours_ago, request in (("weekly", 500, WEEKLY), ("daily", 200, DAILY), ("recent", 6, recent)):
        store.record_run(name, NOW - timedelta(hours=hours_ago), request=request)
        store.finish_run(name, "succeeded", NOW - timedelta(hours=hours_ago - 0.1))
    found = run_health(store, NOW)
    assert (found["GoodRunAgeHours"], found["GoodWeeklyRunAgeHours"]) == (daily, weekly)


def test_an_active_run_is_held_since_its_start(store: RunStore) -> None:
    run(store, "monday", 7)
    store.take_lock("monday", NOW - timedelta(hours=7), timedelta(hours=8))
    assert run_health(store, NOW)["RunHeldHours"] == 7.0
    release_lock(boto3.client("dynamodb", "us-east-1"), "optimizer", "monday")
    assert run_health(store, NOW)["RunHeldHours"] == 0.0


def test_runs_are_listed_newest_first_and_from_a_time_on(store: RunStore) -> None:
    for name, hours in (("a", 50), ("b", 26), ("c", 2)):
        run(store, name, hours, "succeeded")
    assert [found["run_id"] for found in store.runs(NOW - timedelta(hours=48), 10)] == ["c", "b"]
    assert [found["run_id"] for found in store.runs(NOW - timedelta(hours=48), 1)] == ["c"]


def ask(store: RunStore, name: str, hours_ago: float, expires_in: float = 1) -> Approval:
    asked_at, expires_at = NOW - timedelta(hours=hours_ago), NOW + timedelta(hours=expires_in)
    approval = Approval(name, "plan", "d" * 64, "token", {"memory-1": "memory"}, asked_at, expires_at)
    assert store.put_approval(approval)
    return approval


def test_open_approval_request_waits_without_an_active_run(store: RunStore) -> None:
    ask(store, "sunday", 20)
    monday = ask(store, "monday", 3)
    assert run_health(store, NOW)["ApprovalWaitsHours"] == 20.0
    store.replace_approval(store.approval("sunday") or monday, ask_closed(store, "sunday"))
    assert run_health(store, NOW)["ApprovalWaitsHours"] == 3.0


def ask_closed(store: RunStore, name: str) -> Approval:
    approval = store.approval(name)
    assert approval
    return approval.close(ApprovalStatus.EXPIRED, NOW)


def test_request_of_a_dead_execution_does_not_wait_for_ever(store: RunStore) -> None:
    ask(store, "sunday", 30, expires_in=-6)
    assert run_health(store, NOW)["ApprovalWaitsHours"] == 0.0


def test_a_run_with_the_lock_counts_while_its_request_waits(store: RunStore) -> None:
    run(store, "monday", 7)
    store.take_lock("monday", NOW - timedelta(hours=7), timedelta(hours=8))
    ask(store, "monday", 6)
    assert run_health(store, NOW)["RunHeldHours"] == 7.0
