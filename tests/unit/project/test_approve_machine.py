"""The state machine of approvals, and how the run starts it, with their shipped expressions."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.helpers.asl_player import Player, TaskFailed

ASK = [{"change_id": f"memory-{number}", "tuner": "memory"} for number in range(3)]
INPUT = {"run_id": "run-1", "plan_key": "plan", "digest": "d" * 64, "timeout_s": 3600, "max_changes_at_once": 2}
FAILURE = ["WordFailure", "PublishFailure", "TellPrograms", "AnnounceFailure", "ApprovalFailed"]


class People:
    """The services of an approval: people approve the first `approved` changes, or `failing` resources fail."""

    def __init__(self, approved: int = 0, **failing: str) -> None:
        self.approved = approved
        self.failing = failing
        self.made: list[tuple[str, Any]] = []

    def act(self, resource: str, arguments: Mapping[str, Any]) -> Any:
        step = str(arguments.get("Payload", {}).get("step", resource))
        self.made.append((step, arguments))
        if step in self.failing:
            raise TaskFailed(self.failing[step], "why")
        if step == "ask":
            return {"approved": ASK[: self.approved], "rejected": ASK[self.approved :]}
        return {"Payload": {"outcome": "published"}}

    def started(self) -> list[str]:
        return [made["Input"]["change_id"] for step, made in self.made if step.startswith("states:startExecution")]


@pytest.mark.parametrize("approved", [0, 1, 3])
@pytest.mark.parametrize("asked", [1, 3])
def test_exactly_the_approved_changes_are_started(approved: int, asked: int) -> None:
    people = People(min(approved, asked))
    player = Player("approve", people.act)
    assert player.play({**INPUT, "ask": ASK[:asked]}) == "SUCCEEDED"
    assert people.started() == [pair["change_id"] for pair in ASK[: min(approved, asked)]]
    assert player.states[-2:] == ["PublishAnswer", "Done"]
    (request,) = [made["Payload"] for step, made in people.made if step == "ask"]
    assert request["ask"] == ASK[:asked]
    assert (request["timeout_s"], request["task_token"]) == (3600, "token-run-1")


def test_without_a_response_nothing_is_started() -> None:
    people = People(ask="States.Timeout")
    player = Player("approve", people.act)
    assert player.play({**INPUT, "ask": ASK}) == "SUCCEEDED"
    assert people.started() == []
    assert player.states == ["Begin", "AwaitApproval", "RejectUnanswered", "PublishAnswer", "Done"]


def test_a_request_that_fails_is_closed_and_announced() -> None:
    people = People(ask="Lambda.Unknown", expire="Lambda.Unknown")
    player = Player("approve", people.act)
    assert player.play({**INPUT, "ask": ASK}) == "FAILED"
    assert player.states == ["Begin", "AwaitApproval", "CloseRequest", *FAILURE]
    (closing,) = [made["Payload"] for step, made in people.made if step == "expire"]
    assert closing["reason"] == "The approval request failed: Lambda.Unknown."


def test_a_message_that_fails_is_announced() -> None:
    player = Player("approve", People(1, approval="Lambda.Unknown").act)
    assert player.play({**INPUT, "ask": ASK}) == "FAILED"
    assert player.states[-len(FAILURE) - 1 :] == ["PublishAnswer", *FAILURE]


@pytest.mark.parametrize("asked", [0, 1, 3])
@pytest.mark.parametrize("automatic", [0, 1, 3])
def test_a_run_starts_what_is_automatic_and_waits_for_nobody(asked: int, automatic: int) -> None:
    people = People()
    run = {"approval_timeout_s": 3600, "max_changes_at_once": 2, "report_parts": [], "databases": [], "caches": []}
    variables = {"run": run, "run_id": "run-1", "plan_key": "plan", "digest": "d" * 64, "failed_batches": []}
    changes = [{"change_id": f"warmups-{number}", "tuner": "warmups"} for number in range(automatic)]
    player = Player("optimize", people.act, variables=variables | {"ask": ASK[:asked], "automatic": changes})
    assert player.play({}, "AskPeople") == "SUCCEEDED"
    starts = [made for step, made in people.made if step.startswith("states:startExecution")]
    approvals = [made for made in starts if made["StateMachineArn"] == "Approve"]
    assert len(approvals) == (asked > 0)
    for approval in approvals:
        assert approval["Name"] == "run-1"
        given = {
            key: value
            for key, value in approval["Input"].items()
            if key != "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
        }
        assert given == {**INPUT, "ask": ASK[:asked]}
    assert [made["Input"]["change_id"] for made in starts if made["StateMachineArn"] == "Change"] == [
        change["change_id"] for change in changes
    ]
    assert "AwaitApproval" not in player.states
    assert player.states[-3:] == ["PublishResults", "Unlock", "Done"]


def test_a_request_that_was_started_before_holds_nothing_up() -> None:
    people = People(**{"states:startExecution": "ExecutionAlreadyExists"})
    run = {"approval_timeout_s": 3600, "max_changes_at_once": 2, "report_parts": [], "databases": [], "caches": []}
    variables = {"run": run, "run_id": "run-1", "plan_key": "plan", "digest": "d" * 64, "failed_batches": []}
    player = Player("optimize", people.act, variables=variables | {"ask": ASK, "automatic": []})
    assert player.play({}, "AskPeople") == "SUCCEEDED"
