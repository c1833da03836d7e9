"""Schedules of pings: their names, local times, and requests that EventBridge Scheduler accepts."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.validate import validate_parameters
from hypothesis import given, strategies as st
from optimizer.aws.scheduler import ScheduleTarget, function_prefix
from optimizer.core.clock import minute_of
from optimizer.core.ping import Warmup
from optimizer.warmups.schedules import (
    change_id_of,
    expression,
    plan_mark,
    read_name,
    request,
    schedule_name,
)

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:"
CHANGE = "warmups-0123456789abcdef"
SCHEDULES = ScheduleTarget(
    "group", "arn:aws:iam::123456789012:role/warm", f"{ARN}warm_function", "arn:aws:sqs:x:1:dead"
)
NAMES = st.text("abcXYZ019-_", min_size=1, max_size=64)


@given(NAMES, st.integers(minute_of(datetime(2020, 1, 1, tzinfo=UTC)), 60_000_000), st.integers(1, 1000))
def test_a_name_fits_and_tells_plan_minute_and_environments(function: str, minute: int, environments: int) -> None:
    name = schedule_name(ARN + function, CHANGE, minute, environments)
    assert len(name) <= 64
    found = read_name(name, function_prefix(ARN + function))
    assert found is not None
    assert (found.minute, found.environments, change_id_of(found.plan)) == (minute, environments, CHANGE)


@given(NAMES, NAMES)
def test_no_function_takes_the_schedules_of_another_for_its_own(one: str, other: str) -> None:
    name = schedule_name(ARN + one, CHANGE, 29_000_000, 2)
    assert one == other or read_name(name, function_prefix(ARN + other)) is None


@pytest.mark.parametrize("name", ["by-hand", "orders-12345678-x-y-z", "orders-"])
def test_a_schedule_of_another_form_is_left_alone(name: str) -> None:
    assert read_name(name, "orders-12345678-") is None


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), ("at(2026-07-01T08:00:00)", "Europe/Berlin")),
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), ("at(2026-03-29T01:59:00)", "Europe/Berlin")),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), ("at(2026-03-29T03:00:00)", "Europe/Berlin")),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), ("at(2026-10-25T00:30:00)", "UTC")),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), ("at(2026-10-25T01:30:00)", "UTC")),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), ("at(2026-10-25T03:00:00)", "Europe/Berlin")),
    ],
)
def test_times_are_local_except_in_the_hour_that_comes_twice(utc: datetime, expected: tuple[str, str]) -> None:
    assert expression(minute_of(utc), "Europe/Berlin") == expected


def test_a_request_is_one_that_the_service_takes() -> None:
    warmup = Warmup("orders", "live", 3, 200, "run", CHANGE, 29_700_000)
    wanted = request(SCHEDULES, f"{ARN}orders", warmup, "Europe/Berlin")
    model = boto3.client("scheduler", "us-east-1").meta.service_model.operation_model("CreateSchedule")
    assert validate_parameters(wanted, model.input_shape) is None
    assert len(wanted["ClientToken"]) == 64
    assert wanted["Target"]["DeadLetterConfig"] == {"Arn": "arn:aws:sqs:x:1:dead"}
    assert Warmup.from_event(json.loads(wanted["Target"]["Input"])) == warmup


def test_the_client_token_is_the_same_for_the_same_ping_only() -> None:
    def token(**different: Any) -> str:
        values = {"environments": 3, "change_id": CHANGE} | different
        warmup = Warmup("orders", "live", hold_ms=200, run_id="run", minute=29_700_000, **values)
        return str(request(SCHEDULES, f"{ARN}orders", warmup, "UTC")["ClientToken"])

    tokens = [token(), token(), token(environments=4), token(change_id="warmups-fedcba9876543210")]
    assert len(set(tokens)) == 3
    assert plan_mark(CHANGE) == "0123456789abcdef"
