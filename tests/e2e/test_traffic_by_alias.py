"""Test that plans rest on the calls of the alias and on measured concurrency, where others would have led astray."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from optimizer.traffic import littles_law

from tests.helpers.called_functions import (
    BATCH,
    BURSTS,
    BUSY,
    NAMES,
    POLICY,
    SIBLING,
    TOGETHER,
    create_called_functions,
)
from tests.helpers.e2e.running import Running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Planned:
    """A run over the described functions. changes: by name and tuner."""

    running: Running
    changes: dict[tuple[str, str], Mapping[str, Any]]
    reasons: dict[tuple[str, str], str]

    def pinged(self, name: str) -> int:
        """Return the most environments that pings of a function hold."""
        change = self.changes.get((name, "warmups"))
        return int(change["after"]["most_environments"]) if change else 0

    def scheduled(self, name: str) -> bool:
        """Return True if a ping of a function is scheduled."""
        scheduler, group = self.running.scheduler, self.running.application.schedule_group
        made = (
            scheduler.get_schedule(GroupName=group, Name=one)["Target"]["Input"] for one in self.running.schedules()
        )
        return any(f'"{name}"' in given for given in made)


@pytest.fixture(scope="module")
def planned(deployed: Any) -> Iterator[Planned]:
    running = Running(deployed)
    running.settle()
    create_called_functions(deployed.account)
    running.store_policy(POLICY)
    request = {"functions": NAMES, "tuners": ["warmups", "provisioned_concurrency"]}
    run = running.optimize("by-alias", request)
    assert run.status == "SUCCEEDED", run.cause
    for arn in running.changes_of(run.name):
        running.until([arn], "WaitToVerify")
    plan = running.document(f"runs/{run.name}/plan.json")
    changes = {_key(item["change"]): item["change"] for item in plan["proposals"]}
    reasons = {_key(one): str(one["reason"]) for one in plan["no_changes"]}
    yield Planned(running, changes, reasons)
    for arn in running.executions(running.application.change_arn, statusFilter="RUNNING"):
        running.sfn.stop_execution(executionArn=arn)
    for change in changes.values():
        _roll_back(running, change)
    for name in NAMES:
        running.lambda_.delete_function(FunctionName=name)
    deployed.account.describe_callers(())
    running.forget_policy()


def _key(document: Mapping[str, Any]) -> tuple[str, str]:
    return str(document["target"]).rpartition(":")[2], str(document["tuner"])


def _roll_back(running: Running, change: Mapping[str, Any]) -> None:
    function = "change_warmups" if change["tuner"] == "warmups" else "change_capacity"
    asked = {"step": "revert", "run_id": change["run_id"], "change_id": change["id"]}
    deadline = time.monotonic() + _WITHIN_S
    while (answer := running.invoke(function, asked))["outcome"] == "pending":
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)


def test_batch_job_on_latest_provisions_nothing_for_the_alias(planned: Planned) -> None:
    """It keeps five environments busy all day, which a function whose alias is called so is provisioned for."""
    assert planned.changes[BUSY, "provisioned_concurrency"]["after"]["environments"] > 0
    assert (BATCH, "provisioned_concurrency") not in planned.changes
    assert "busy 0% of the time" in planned.reasons[BATCH, "provisioned_concurrency"]


def test_batch_job_on_latest_pings_nothing_for_the_alias(planned: Planned) -> None:
    """It wakes sixty environments each hour; the alias is called once an hour."""
    assert planned.pinged(BATCH) == 1
    assert planned.scheduled(BATCH)


def test_sibling_alias_plans_nothing_for_the_alias(planned: Planned) -> None:
    """`blue` has the calls of the function; `live` has three an hour."""
    assert planned.pinged(SIBLING) == 3
    assert (SIBLING, "provisioned_concurrency") not in planned.changes


def test_bursts_are_pinged_as_they_were_measured(planned: Planned) -> None:
    """By Little's law one environment serves twenty calls of a tenth of a second in a minute."""
    assert littles_law(np.array([20.0]), 100.0) == 1
    assert planned.pinged(BURSTS) == 20
    assert planned.scheduled(BURSTS)


def test_calls_that_come_together_are_not_provisioned(planned: Planned) -> None:
    """By Little's law one environment is busy all the time; each of the twenty measured is so 5 % of it."""
    assert (TOGETHER, "provisioned_concurrency") not in planned.changes
    assert "busy 5% of the time" in planned.reasons[TOGETHER, "provisioned_concurrency"]
    assert not planned.scheduled(TOGETHER)
