"""Questions to people as they are recorded in an emulated DynamoDB table."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from optimizer import approval_requests
from optimizer.approvals import ApprovalStatus
from optimizer.changes import Change, Risk, Status, Tuner
from optimizer.runs import RunStore

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FIRST_TOKEN = "token-1"


class Run:
    """Takes what is given back to the run."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Any]] = []

    def __call__(self, token: str, answer: Any) -> None:
        self.answers.append((token, answer))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="optimizer",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield RunStore(client, "optimizer")


def record(store: RunStore, name: str, status: Status) -> Change:
    change = Change(
        run_id="run-1",
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        before={"memory_mb": 512},
        after={"memory_mb": 768},
        reason="It is faster and costs the same.",
        undo={"memory_mb": 512},
        risk=Risk.MEDIUM,
    )
    store.record_change(change, status, NOW)
    return change


def event(*changes: Change, token: str = FIRST_TOKEN) -> dict[str, Any]:
    return {
        "step": "ask",
        "run_id": "run-1",
        "plan_key": "runs/run-1/plan.json",
        "digest": "d" * 64,
        "ask": [{"change_id": change.id, "tuner": change.tuner.value} for change in changes],
        "task_token": token,
        "timeout_s": 3600,
    }


def test_what_needs_a_person_is_rejected_and_the_run_told_at_once(store: RunStore) -> None:
    run, asked = Run(), record(store, "orders", Status.AWAITING_APPROVAL)
    approval_requests.ask(store, event(asked), NOW, run)
    ((token, answer),) = run.answers
    assert token == FIRST_TOKEN
    assert answer == {
        "outcome": "answered",
        "approved": [],
        "rejected": [{"change_id": asked.id, "tuner": "memory"}],
    }
    assert store.change(asked.id).status is Status.REJECTED


def test_what_needs_nobody_is_left_alone(store: RunStore) -> None:
    asked, automatic = record(store, "orders", Status.AWAITING_APPROVAL), record(store, "carts", Status.APPROVED)
    approval_requests.ask(store, event(asked), NOW, Run())
    assert store.change(automatic.id).status is Status.APPROVED


def test_asking_twice_gives_the_same_answer_to_the_newer_token(store: RunStore) -> None:
    run, asked = Run(), record(store, "orders", Status.AWAITING_APPROVAL)
    approval_requests.ask(store, event(asked), NOW, run)
    approval_requests.ask(store, event(asked, token="token-2"), LATER, run)
    assert [token for token, _ in run.answers] == [FIRST_TOKEN, "token-2"]
    assert run.answers[0][1] == run.answers[1][1]


def test_a_call_that_died_before_it_told_the_run_is_finished_by_the_next(store: RunStore) -> None:
    asked = record(store, "orders", Status.AWAITING_APPROVAL)

    def die(_token: str, _answer: Any) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        approval_requests.ask(store, event(asked), NOW, die)
    run = Run()
    approval_requests.ask(store, event(asked), LATER, run)
    assert run.answers[0][1]["rejected"] == [{"change_id": asked.id, "tuner": "memory"}]


def test_an_unanswered_question_rejects_and_is_closed(store: RunStore) -> None:
    asked = record(store, "orders", Status.AWAITING_APPROVAL)
    store.put_approval(approval_requests.question(event(asked), NOW))
    assert approval_requests.expire(store, "run-1", LATER)["rejected"] == 1
    assert store.change(asked.id).status is Status.REJECTED
    closed = store.approval("run-1")
    assert closed is not None
    assert closed.status is ApprovalStatus.EXPIRED


def test_a_question_that_was_never_recorded_rejects_all_the_same(store: RunStore) -> None:
    asked = record(store, "orders", Status.AWAITING_APPROVAL)
    assert approval_requests.expire(store, "run-1", LATER)["rejected"] == 1
    assert approval_requests.expire(store, "run-1", LATER)["rejected"] == 0
    assert store.change(asked.id).status is Status.REJECTED
