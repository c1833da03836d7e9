"""Executions that began under version 0.1.0 keep its state machines, and call today's Lambdas from the next step on.

Its definitions are played from their start with today's Lambdas, which is every step that such an execution may still
have before it. `make test-upgrade` shows the same in a deployed stack, for one place in each.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.helpers.faults import lambda_world
from tests.helpers.faults.executions import Executions
from tests.helpers.faults.lives import Life
from tests.helpers.faults.samples import LIVES
from tests.helpers.faults.stage import NOW, Clock, Stage, Step
from tests.helpers.own_account import create_target

OLD = Path(__file__).parents[1] / "unit" / "upgrade" / "v0_1_0" / "statemachine"


type Respond = Callable[[Mapping[str, Any]], None]

RUN = "run-1"
POLICY = {
    "version": 1,
    "memory": {"min_invocations": 20, "max_slowdown": 2.0},
    # At the prices of its Region no use of it pays; this policy buys latency.
    "provisioned_concurrency": {"min_utilisation": 0.6},
    "run": {"max_changes_share": 1.0},
    "approvals": {"approvers": [{"name": "anna"}]},
}


def execution(stage: Stage, life: Life) -> Executions:
    def before(step: Step) -> None:
        if step.function == life.function:
            life.between(stage, step.event["step"])

    life.start(stage)
    return Executions(stage, OLD, before)


def given(life: Life, **more: str) -> dict[str, str]:
    change = life.change
    return {"run_id": change.run_id, "change_id": change.id, "tuner": change.tuner.value, **more}


@pytest.mark.parametrize("name", LIVES)
def test_an_old_execution_of_a_change_ends_as_a_new_one(staged: Stage, name: str) -> None:
    life = LIVES[name]()
    old = execution(staged, life)
    staged.services.waiting["of the run"] = None
    status, states = old.play("change", given(life, task_token="of the run"), life.change.id)
    assert (status, states[-1]) == ("SUCCEEDED", "Done")
    assert old.outcomes(life.function)[-1] == life.ends
    assert staged.store.change(life.change.id).status.value == life.ends
    assert json.loads(staged.services.waiting["of the run"] or "{}")["outcome"] == "applied"
    assert old.outcomes("publish_results") == ["published"]


@pytest.mark.parametrize("name", [name for name in LIVES if "that" not in name])
def test_an_old_execution_rolls_a_kept_change_back(staged: Stage, name: str) -> None:
    """`optimizer revert` starts the machine anew; one that was started before the upgrade goes on with the old one."""
    life = LIVES[name]()
    old = execution(staged, life)
    former = life.in_force(staged)
    old.play("change", given(life), life.change.id)
    assert life.in_force(staged) != former
    status, _ = old.play("change", given(life, revert="Anna wants it back."), "revert")
    assert (status, old.outcomes(life.function)[-1]) == ("SUCCEEDED", "reverted")
    assert life.in_force(staged) == former
    assert staged.store.change(life.change.id).message == "Anna wants it back."


@pytest.fixture
def in_service(staged: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Provide an account with a busy function, people to ask and a place for reports."""
    lambda_world.build(staged)
    for configuration in (staged.world["twin"].latest, *staged.world["twin"].versions.values()):
        configuration["Architectures"] = ["x86_64"]
    create_target("orders", **{"optimizer:warmup": "ready"})
    key = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    for name in ("APPROVAL", "REPORT"):
        monkeypatch.setenv(f"OPTIMIZER_{name}_KEY", key)
        monkeypatch.setenv(f"OPTIMIZER_{name}_URL", "https://abc.lambda-url.eu-west-1.on.aws/")
    monkeypatch.setenv("OPTIMIZER_REPORT_DAYS", "30")
    return staged


def run(stage: Stage, mode: str, respond: Respond = lambda _request: None) -> list[str]:
    stage.services.objects["policy/policy.json"] = json.dumps({**POLICY, "mode": mode}).encode()
    old = Executions(stage, OLD, respond=respond)
    status, states = old.play("optimize", {"reason": "daily"}, RUN)
    assert (status, states[-1]) == ("SUCCEEDED", "Done")
    assert stage.store.lock_holder(Clock.at) is None
    assert old.outcomes("publish_results")[-1] == "published"
    assert f"runs/{RUN}/report.json" in stage.services.objects
    return states


def changes(stage: Stage) -> dict[str, str]:
    found = stage.store.changes_since(NOW, 100)
    return {one.change.tuner.value: one.status.value for one in found}


@pytest.mark.parametrize(("mode", "ends"), [("auto", "kept"), ("recommend", "recommended")])
def test_an_old_run_that_asks_nobody_ends(in_service: Stage, mode: str, ends: str) -> None:
    """It plans warm-ups before capacity, which new runs do the other way round."""
    states = run(in_service, mode)
    assert states.index("PlanWarmups") < states.index("PlanCapacity")
    assert changes(in_service) == {"provisioned_concurrency": ends}
    assert "AwaitApproval" not in states


@pytest.mark.parametrize(("approved", "ends"), [(True, "kept"), (False, "rejected")])
def test_an_old_run_goes_on_with_the_response_of_people(in_service: Stage, approved: bool, ends: str) -> None:
    """The run of version 0.1.0 waits itself, with a lock, where new ones start the machine `approve`."""

    def respond(request: Mapping[str, Any]) -> None:
        chosen = [pair["change_id"] for pair in request["ask"] if approved]
        event = {"step": "answer", "run_id": RUN, "digest": request["digest"], "approver": "anna", "by": "Anna"}
        assert in_service.store.lock_holder(Clock.at) == RUN
        assert in_service.run(Step("answer_approval", {**event, "approved": chosen}))["outcome"] == "answered"

    states = run(in_service, "approve", respond)
    assert "AwaitApproval" in states
    assert changes(in_service) == {"provisioned_concurrency": ends}


def test_an_old_run_without_a_response_rejects(in_service: Stage) -> None:
    states = run(in_service, "approve")
    assert "RejectUnanswered" in states
    assert changes(in_service) == {"provisioned_concurrency": "rejected"}


def test_an_old_run_that_fails_is_recorded_and_releases_the_lock(in_service: Stage) -> None:
    """Its last states call no Lambda; today's code reads what they record."""
    in_service.services.objects["policy/policy.json"] = b'{"version": 1, "mode": "auto", "mood": "good"}'
    old = Executions(in_service, OLD)
    status, states = old.play("optimize", {}, RUN)
    assert (status, states[-1]) == ("FAILED", "RunFailed")
    assert in_service.store.lock_holder(Clock.at) is None
    (recorded,) = in_service.store.runs(NOW, 10)
    assert (recorded["run_id"], recorded["status"]) == (RUN, "failed")
    assert recorded["failure"]["error"] == "PolicyInvalid"
    assert RUN in in_service.services.messages[-1]["Message"]
