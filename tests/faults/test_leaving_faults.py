"""Let every call to AWS of the Lambda that leaves the account go wrong once, in every way."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from optimizer.core.change import Status, Tuner

from tests.helpers.faults.lives import RUN
from tests.helpers.faults.services import error
from tests.helpers.faults.stage import NOW, Stage, Step, stage
from tests.helpers.small_change import small_change

OPTIMIZE, APPROVE, CHANGE = (
    f"arn:aws:states:eu-west-1:123456789012:stateMachine:optimizer-{name}" for name in ("run", "approve", "change")
)


@pytest.fixture
def staged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("OPTIMIZER_OPTIMIZE_ARN", OPTIMIZE)
    monkeypatch.setenv("OPTIMIZER_APPROVE_ARN", APPROVE)
    monkeypatch.setenv("OPTIMIZER_CHANGE_ARN", CHANGE)
    with stage(request, monkeypatch) as made:
        made.world["executions"] = {(OPTIMIZE, RUN): "RUNNING", (APPROVE, RUN): "RUNNING"}
        made.calls.answers |= Machines(made).answers()
        yield made


class Machines:
    """Step Functions, whose executions roll changes back as soon as they are started."""

    def __init__(self, staged: Stage) -> None:
        self.staged = staged

    def answers(self) -> Any:
        return {
            "ListExecutions": self.list_executions,
            "StartExecution": self.start_execution,
            "StopExecution": self.stop_execution,
            "DescribeExecution": self.describe_execution,
        }

    @property
    def executions(self) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = self.staged.world["executions"]
        return found

    def list_executions(self, request: dict[str, Any]) -> Any:
        wanted = (request["stateMachineArn"], request["statusFilter"])
        found = [(machine, name) for (machine, name), status in self.executions.items() if (machine, status) == wanted]
        return {"executions": [{"name": name, "executionArn": f"{machine}#{name}"} for machine, name in found]}

    def start_execution(self, request: dict[str, Any]) -> Any:
        key = request["stateMachineArn"], request["name"]
        if key in self.executions:
            raise error("ExecutionAlreadyExists", "StartExecution")
        self.executions[key] = "SUCCEEDED"
        change = request["name"].removeprefix("revert-1-")
        self.staged.table.items[f"CHANGE#{change}", "CHANGE"]["status"] = {"S": "reverted"}
        return {"executionArn": self._arn(*key)}

    def stop_execution(self, request: dict[str, Any]) -> Any:
        for key in self.executions:
            if request["executionArn"] in ("#".join(key), self._arn(*key)):
                self.executions[key] = "ABORTED"
        return {}

    def describe_execution(self, request: dict[str, Any]) -> Any:
        return {"status": next(s for key, s in self.executions.items() if self._arn(*key) == request["executionArn"])}

    @staticmethod
    def _arn(machine: str, name: str) -> str:
        return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def recorded(staged: Stage, function: str, tuner: Tuner, status: Status) -> str:
    change = small_change(function, tuner, RUN)
    staged.store.record_change(change, Status.APPROVED, NOW - timedelta(days=1))
    staged.store.move(change.id, status, NOW - timedelta(hours=1), from_any={Status.APPROVED})
    return change.id


def test_leaving(staged: Stage) -> None:
    watched = recorded(staged, "orders", Tuner.MEMORY, Status.WATCHING)
    kept = recorded(staged, "carts", Tuner.PROVISIONED_CONCURRENCY, Status.KEPT)
    staged.world["executions"][CHANGE, watched] = "RUNNING"
    staged.world["executions"][CHANGE, kept] = "SUCCEEDED"
    # A repeated request returns the remaining work.
    step = Step("leave_account", {"RequestType": "Delete"}, counts=lambda answer: answer["outcome"])
    answer = staged.every_fault(step)
    assert (answer["outcome"], sorted(answer["taken_back"])) == ("left", sorted([watched, kept]))
    assert staged.world["executions"][OPTIMIZE, RUN] == "ABORTED"
    assert staged.world["executions"][APPROVE, RUN] == "ABORTED"
    assert staged.world["executions"][CHANGE, watched] == "ABORTED"
