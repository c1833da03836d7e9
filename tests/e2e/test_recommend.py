"""Test that a run that may only recommend writes to nothing but the application's own table, bucket and topic."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.helpers.e2e.recorded_calls import Call, calls_since, tasks_entered, writes_outside
from tests.helpers.e2e.running import Execution, Running, differences

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

AUTO = {
    "version": 1,
    "mode": "auto",
    # No test waits for these changes: they are rolled back, for want of calls in a minute, and leave no cool-down.
    "memory": {"watch_minutes": [1], "longest_watch_hours": 0, "cool_down_days": 0},
    "provisioned_concurrency": {"mode": "recommend"},
    "warmups": {"watch_minutes": [1]},
    "run": {"max_changes": 100, "max_changes_share": 1.0, "max_changes_at_once": 4},
}
# Other tests change these functions, and need them without recent changes.
LEFT_TO_OTHERS = (0, 1, 4, 9)


@dataclass(frozen=True, slots=True)
class Observed:
    """A run, the calls that its Lambdas made, and everything that it could change, before and after."""

    run: Execution
    plan: dict[str, Any]
    calls: list[Call]
    before: dict[str, Any]
    after: dict[str, Any]

    def verdicts(self, *verdicts: str) -> list[dict[str, Any]]:
        """Return the changes with this verdict of the guardrails."""
        return [item["change"] for item in self.plan["proposals"] if item["verdict"] in verdicts]


def observe(running: Running, name: str, request: dict[str, Any]) -> Observed:
    running.settle()
    before, since = running.live_state(), datetime.now(UTC)
    run = running.optimize(name, request)
    running.settle()
    calls = calls_since(running.account, since)
    return Observed(run, running.document(f"runs/{run.name}/plan.json"), calls, before, running.live_state())


@pytest.fixture(scope="module")
def running(deployed: Any) -> Iterator[Running]:
    """Provide the application; afterwards remove the policy and the schedules of these runs."""
    running = Running(deployed)
    schedules = set(running.schedules())
    yield running
    running.forget_policy()
    for name in set(running.schedules()) - schedules:
        running.scheduler.delete_schedule(Name=name, GroupName=running.application.schedule_group)


@pytest.fixture(scope="module")
def by_default(running: Running) -> Observed:
    running.forget_policy()
    return observe(running, "by-default", {})


@pytest.fixture(scope="module")
def recommending(running: Running) -> Observed:
    running.store_policy({"version": 1, "mode": "recommend"})
    return observe(running, "recommending", {})


@pytest.fixture(scope="module")
def acting(running: Running, by_default: Observed, recommending: Observed) -> Observed:
    """Provide a run that may apply the changes that the others recommended, after both of them."""
    busy = {running.fleet[place].name for place in LEFT_TO_OTHERS}
    changes = by_default.verdicts("recommended") + recommending.verdicts("recommended")
    functions = sorted({change["target"].rpartition(":")[2] for change in changes} - busy)
    running.store_policy(AUTO)
    return observe(running, "acting", {"functions": functions})


@pytest.fixture(params=["by_default", "recommending"])
def observed(request: pytest.FixtureRequest) -> Observed:
    return request.getfixturevalue(request.param)


def test_recommend_mode_writes_only_to_its_own_resources(running: Running, observed: Observed) -> None:
    """A run that recommends writes to nothing but the application's own table, bucket and topic."""
    assert observed.run.status == "SUCCEEDED"
    assert writes_outside(running, observed.calls) == set()


def test_recommend_mode_proposes_and_changes_nothing(observed: Observed) -> None:
    assert observed.verdicts("recommended")
    assert observed.verdicts("automatic", "ask") == []
    assert differences(observed.before, observed.after) == {}


def test_the_state_machine_itself_writes_to_nothing_else(running: Running, observed: Observed) -> None:
    application = running.application
    entered = tasks_entered(running, application.optimize_arn, observed.run.states)
    assert "Unlock" in entered
    for state in entered.values():
        arguments = state["Arguments"]
        match state["Resource"].rpartition(":::")[2]:
            case "lambda:invoke":
                assert ":function:optimizer-" in arguments["FunctionName"]
            case "dynamodb:deleteItem" | "dynamodb:updateItem":
                assert arguments["TableName"] == application.table
            case other:
                pytest.fail(f"{other} is not for a run that recommends")


def test_the_calls_of_every_lambda_of_the_run_were_recorded(observed: Observed) -> None:
    made = {(call.service, call.operation) for call in observed.calls}
    seen = {("s3", "PutObject"), ("dynamodb", "TransactWriteItems"), ("sns", "Publish")}
    assert seen | {("monitoring", "GetMetricData"), ("application-autoscaling", "DescribeScalableTargets")} <= made
    callers = {call.access_key for call in observed.calls}
    lambdas = {
        "StartRun",
        "AnalyzeTraffic",
        "PlanWarmups",
        "PlanCapacity",
        "CheckGuardrails",
        "RenderReport",
        "PublishResults",
    }
    assert lambdas <= set(observed.run.states)
    assert len(callers) == len(lambdas)


def test_writes_of_a_run_that_may_act_are_detected(running: Running, acting: Observed) -> None:
    assert acting.run.status == "SUCCEEDED"
    expected = {"warmups": ("scheduler", "CreateSchedule"), "memory": ("lambda", "UpdateFunctionConfiguration")}
    made = {expected[change["tuner"]] for change in acting.verdicts("automatic") if change["tuner"] in expected}
    assert made
    assert made <= writes_outside(running, acting.calls)
    assert differences(acting.before, acting.after)
