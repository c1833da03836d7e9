"""What the schedules say of the application itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
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
    assert run_health(store, NOW) == {"GoodRunAgeHours": 0.0, "RunHeldHours": 0.0, "ApprovalWaitsHours": 0.0}


def test_the_age_is_that_of_the_last_run_that_succeeded(store: RunStore) -> None:
    run(store, "sunday", 30, "succeeded")
    run(store, "monday", 6, "failed")
    assert run_health(store, NOW)["GoodRunAgeHours"] == 30.0


def test_without_a_success_the_age_is_that_of_the_first_run(store: RunStore) -> None:
    run(store, "saturday", 54, "failed")
    run(store, "sunday", 30, "failed")
    assert run_health(store, NOW)["GoodRunAgeHours"] == 54.0


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
