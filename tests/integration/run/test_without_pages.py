"""Messages of a stack without public pages name the commands that do the same."""

import json
import os
from collections.abc import Callable, Iterator

import boto3
import pytest
from optimizer.core.change import Change, Risk, Tuner

from tests.helpers.own_account import own_account, sample_event
from tests.integration.run.test_run_handlers import Account

RUN = sample_event("start_run")["run_id"]
STACK = "optimizer-staging"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with own_account(monkeypatch, "eu-west-1"):
        made = Account(monkeypatch)
        for name in ("OPTIMIZER_REPORT_URL", "OPTIMIZER_REPORT_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("OPTIMIZER_STACK", STACK)
        yield made


def test_the_report_is_opened_by_a_command(account: Account) -> None:
    account.policy({"version": 1})
    account.function("f0")
    account.call("start_run")
    account.call("check_guardrails")
    account.call("publish_results")
    (message,) = account.messages()
    command = f"optimizer report {RUN} --open --stack {STACK}"
    assert f"\n{command}\n" in message["Message"]
    assert "://" not in message["Message"]
    assert message["document"]["report_command"] == command
    assert "report_url" not in message["document"]


def test_the_review_is_opened_by_a_command(account: Account) -> None:
    account.call("start_run", {**sample_event("start_run"), "request": {"review": True}})
    account.call("publish_results", {"step": "review", "run_id": RUN})
    (message,) = account.messages()
    assert f"\noptimizer report {RUN} --open --stack {STACK}\n" in message["Message"]
    assert "://" not in message["Message"]


def people_inbox() -> Callable[[], list[str]]:
    """Subscribe a queue to the topic for people; return what reads the texts in it."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName="people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=os.environ["OPTIMIZER_TOPIC_ARN"], Protocol="sqs", Endpoint=arn)

    def texts() -> list[str]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(one["Body"])["Message"] for one in found]

    return texts


def test_changes_are_approved_by_a_command(account: Account) -> None:
    change = Change(
        run_id=RUN,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target="arn:aws:lambda:eu-west-1:123456789012:function:f0",
        before={"memory_mb": 1024},
        after={"memory_mb": 768},
        reason="The same work costs a fifth less.",
        undo={"memory_mb": 1024},
        risk=Risk.MEDIUM,
    )
    account.policy({"version": 1, "mode": "approve"})
    account.function("f0")
    account.call("start_run")
    account.propose(change)
    account.call("check_guardrails")
    texts = people_inbox()
    asked = [{"change_id": change.id, "tuner": "memory"}]
    account.call("request_approval", {**sample_event("request_approval"), "run_id": RUN, "ask": asked})
    (mail,) = texts()
    assert f"\noptimizer approve {RUN} --stack {STACK}\n" in mail
    assert "page" not in mail
    assert "://" not in mail
