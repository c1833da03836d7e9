"""Test provisioned concurrency as a run proposes it: at all hours, by the hour, and beside Application Auto Scaling."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.helpers.e2e.running import Execution, Running
from tests.helpers.e2e.schedules import fire, schedules

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ALWAYS, BY_DAY, BY_NIGHT, SCALED = "always-busy", "busy-by-day", "busy-by-night", "scaled-by-day"
REQUEST = {"functions": [ALWAYS, BY_DAY, BY_NIGHT, SCALED], "tuners": ["provisioned_concurrency"]}
POLICY = {
    "version": 1,
    "mode": "auto",
    "provisioned_concurrency": {
        "cool_down_days": 0,
        # In eu-central-1 no use of provisioned concurrency pays; this policy buys latency.
        "min_utilisation": 0.6,
        # The scaling target has up to 10.
        "max_per_function": 10,
        "max_total": 40,
        "max_usd_day": 20.0,
        "max_usd_month": 400.0,
    },
    "run": {"max_changes": 100, "max_changes_share": 1.0, "max_changes_at_once": 4},
}
_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A run that provisioned four functions, its changes, and the plan of another run while all are in place."""

    running: Running
    run: Execution
    changes: dict[str, dict[str, Any]]
    again: dict[str, Any]


def function_of(change: dict[str, Any]) -> str:
    return str(change["target"].rpartition(":")[2])


@pytest.fixture(scope="module")
def provisioned(deployed: Any) -> Iterator[Provisioned]:
    running = Running(deployed)
    running.settle()
    running.store_policy(POLICY)
    run = running.optimize("provisioning", REQUEST)
    plan = running.document(f"runs/{run.name}/plan.json")
    changes = {function_of(item["change"]): item["change"] for item in plan["proposals"]}
    for arn in running.changes_of(run.name):
        running.until([arn], "WaitToVerify")
    assert run.status == "SUCCEEDED", run.cause
    # The local account carries out no scheduled action, so that the scaled function's change is soon taken back.
    again = running.optimize("provisioning-again", {**REQUEST, "functions": [ALWAYS, BY_DAY, BY_NIGHT]})
    yield Provisioned(running, run, changes, running.document(f"runs/{again.name}/plan.json"))
    for arn in running.executions(running.application.change_arn, statusFilter="RUNNING"):
        running.sfn.stop_execution(executionArn=arn)
    for change in changes.values():
        roll_back(running, change)
    running.forget_policy()


def roll_back(running: Running, change: dict[str, Any]) -> None:
    asked = {"step": "revert", "run_id": change["run_id"], "change_id": change["id"]}
    deadline = time.monotonic() + _WITHIN_S
    while (answer := running.invoke("change_capacity", asked))["outcome"] == "pending":
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)


def environments(running: Running, name: str) -> int:
    target = next(target for target in running.fleet if target.name == name)
    return int(running.function(target)["provisioned"][target.alias])


def actions(running: Running) -> list[str]:
    """Return the scheduled actions of Application Auto Scaling for the function that it scales."""
    client = running.account.session.client("application-autoscaling")
    asked = {"ServiceNamespace": "lambda", "ResourceId": f"function:{SCALED}:live"}
    return [one["ScheduledActionName"] for one in client.describe_scheduled_actions(**asked)["ScheduledActions"]]


def test_run_proposes_where_it_pays(provisioned: Provisioned) -> None:
    assert provisioned.run.status == "SUCCEEDED"
    assert {name: change["action"] for name, change in provisioned.changes.items()} == {
        ALWAYS: "set_provisioned_concurrency",
        BY_DAY: "schedule_provisioned_concurrency",
        BY_NIGHT: "schedule_provisioned_concurrency",
        SCALED: "schedule_provisioned_concurrency",
    }


def test_environments_at_all_hours_are_provisioned(provisioned: Provisioned) -> None:
    wanted = provisioned.changes[ALWAYS]["after"]["environments"]
    assert environments(provisioned.running, ALWAYS) == wanted > 0


def test_timetable_of_a_scaled_function_is_of_scheduled_actions(provisioned: Provisioned) -> None:
    """Nobody carries out scheduled actions in the local account, so that the observation takes the timetable back."""
    running, change = provisioned.running, provisioned.changes[SCALED]
    (arn,) = [arn for arn in running.changes_of(provisioned.run.name) if arn.endswith(change["id"])]
    assert running.ended(arn).status == "SUCCEEDED"
    made = [call["operation"] for call in running.account.stand_in_calls()]
    entries = len(change["after"]["timetable"]["entries"])
    assert made.count("PutScheduledAction") == made.count("DeleteScheduledAction") == entries
    assert actions(running) == []


def test_later_run_reads_the_timetable_in_place(provisioned: Provisioned) -> None:
    assert provisioned.again["proposals"] == []


def test_steps_of_timetables_fire(provisioned: Provisioned) -> None:
    """Each sets what its timetable says for the moment in which it comes, with its own role and input.

    At any hour one of the two functions has to hold environments and the other one none.
    """
    running = provisioned.running
    # An observation that ends meanwhile could take a timetable back.
    for arn in running.changes_of(provisioned.run.name):
        if arn.endswith((provisioned.changes[BY_DAY]["id"], provisioned.changes[BY_NIGHT]["id"])):
            running.sfn.stop_execution(executionArn=arn)
    held = {name: environments(running, name) for name in (BY_DAY, BY_NIGHT)}
    assert sorted(amount > 0 for amount in held.values()) == [False, True]
    for name, amount in held.items():
        alias = {"FunctionName": name, "Qualifier": "live"}
        # As if the last step had not come.
        if amount:
            running.lambda_.delete_provisioned_concurrency_config(**alias)
        else:
            most = provisioned.changes[name]["after"]["environments"]
            running.lambda_.put_provisioned_concurrency_config(**alias, ProvisionedConcurrentExecutions=most)
        fire(running.scheduler, step_of(running, provisioned.changes[name]))

    deadline = time.monotonic() + _WITHIN_S
    while (found := {name: environments(running, name) for name in held}) != held:
        assert time.monotonic() < deadline, f"{found} instead of {held}"
        time.sleep(0.5)


def step_of(running: Running, change: dict[str, Any]) -> Mapping[str, Any]:
    """Return a schedule of the timetable of the change."""
    made = schedules(running.scheduler, running.application.timetable_group)
    return next(one for one in made if change["id"] in one["Target"]["Input"])
