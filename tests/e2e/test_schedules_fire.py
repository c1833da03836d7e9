"""Test the four schedules of the stack: each is enabled, fires with its own role and input, and its run ends well."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.deploy import STACK

from tests.helpers.e2e.running import Running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

GROUP = f"{STACK}-runs"
_WITHIN_S = 240.0


@pytest.fixture(scope="module")
def running(deployed: Any) -> Running:
    found = Running(deployed)
    found.settle()
    found.forget_policy()
    return found


@pytest.mark.parametrize("name", ["daily", "weekly", "monthly", "warmups"])
def test_schedule_starts_a_run_that_ends_well(running: Running, name: str) -> None:
    schedule = running.scheduler.get_schedule(GroupName=GROUP, Name=name)
    assert schedule["State"] == "ENABLED"
    before = set(running.executions(running.application.optimize_arn))
    kept = {part: schedule[part] for part in ("Name", "GroupName", "FlexibleTimeWindow", "Target", "State")}
    due = datetime.now(UTC) + timedelta(seconds=2)
    running.scheduler.update_schedule(**kept, ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})")

    deadline = time.monotonic() + _WITHIN_S
    while not (started := set(running.executions(running.application.optimize_arn)) - before):
        assert time.monotonic() < deadline, "no run was started"
        time.sleep(0.5)

    again = {**kept, "ScheduleExpressionTimezone": schedule["ScheduleExpressionTimezone"]}
    running.scheduler.update_schedule(**again, ScheduleExpression=schedule["ScheduleExpression"])
    (arn,) = started
    run = running.ended(arn, _WITHIN_S)
    assert (run.status, run.error) == ("SUCCEEDED", "")
