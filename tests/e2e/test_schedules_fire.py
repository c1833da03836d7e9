"""Test the schedules of the stack: each is enabled, fires with its own role and input, and what it starts ends well."""

import time
from typing import Any

import pytest
from local_account.account import REGION
from optimizer.store import PRICES_KEY

from tests.helpers.e2e.running import Running
from tests.helpers.e2e.schedules import RUNS, fire, postpone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_WITHIN_S = 240.0


@pytest.fixture(scope="module")
def running(deployed: Any) -> Running:
    found = Running(deployed)
    found.settle()
    found.forget_policy()
    return found


@pytest.mark.parametrize("name", ["daily", "weekly", "monthly", "warmups"])
def test_schedule_starts_a_run_that_ends_well(running: Running, name: str) -> None:
    schedule = running.scheduler.get_schedule(GroupName=RUNS, Name=name)
    assert schedule["State"] == "ENABLED"
    before = set(running.executions(running.application.optimize_arn))
    fire(running.scheduler, schedule)

    deadline = time.monotonic() + _WITHIN_S
    while not (started := set(running.executions(running.application.optimize_arn)) - before):
        assert time.monotonic() < deadline, "no run was started"
        time.sleep(0.5)

    postpone(running.scheduler, RUNS)
    (arn,) = started
    run = running.ended(arn, _WITHIN_S)
    assert (run.status, run.error) == ("SUCCEEDED", "")


def test_schedule_reads_the_prices_of_the_region(running: Running) -> None:
    s3, bucket = running.account.session.client("s3"), running.application.bucket
    s3.delete_object(Bucket=bucket, Key=PRICES_KEY)
    schedule = running.scheduler.get_schedule(GroupName=RUNS, Name="prices")
    assert schedule["State"] == "ENABLED"
    fire(running.scheduler, schedule)

    deadline = time.monotonic() + _WITHIN_S
    while not s3.list_objects_v2(Bucket=bucket, Prefix=PRICES_KEY).get("Contents"):
        assert time.monotonic() < deadline, "no prices were stored"
        time.sleep(0.5)

    postpone(running.scheduler, RUNS)
    stored = running.document(PRICES_KEY)
    # Runs of other tests count with the shipped prices.
    s3.delete_object(Bucket=bucket, Key=PRICES_KEY)
    assert (stored["region"], sorted(stored["architectures"])) == (REGION, ["arm64", "x86_64"])
