"""`optimizer approvals`: topics of approvers are made, listed and removed."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from optimizer.approvals.topics import NO_TOPIC, NOT_CONFIRMED, topic_of
from optimizer.store import NoSuchDocument
from optimizer_cli.application import Application
from optimizer_cli.main import main

from tests.helpers.asking import TOPICS, address
from tests.helpers.topics import PEOPLE, PROGRAMS, Topics

POLICY = {"version": 1, "approvals": {"approvers": [{"name": "anna"}, {"name": "b.holm"}]}}


@pytest.fixture
def policy() -> dict[str, Any]:
    return dict(POLICY)


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any]) -> Topics:
    """Provide the topics of a stack whose stored policy names two approvers."""
    topics = Topics()

    def stored(_key: str) -> bytes:
        if not policy:
            raise NoSuchDocument("policy")
        return json.dumps(policy).encode()

    application = SimpleNamespace(
        topic_arn=PEOPLE,
        programs_topic_arn=PROGRAMS,
        tag=("optimizer", "on"),
        documents=SimpleNamespace(read_bytes=stored),
    )
    monkeypatch.setattr(Application, "find", lambda _stack: application)
    monkeypatch.setattr(boto3, "client", {"sns": topics}.__getitem__)
    return topics


def approvals(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["approvals", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_added_approver_is_asked_to_confirm_and_then_gets_links(sns: Topics) -> None:
    said = approvals("add", "b.holm", "--email", "b@example.com")
    assert said.exit_code == 0
    assert said.stdout == (
        "AWS has sent a mail to b@example.com: open the link in it, and b@example.com gets the links of b.holm.\n"
    )
    assert said.stderr == ""
    topic_arn = topic_of(TOPICS, "b.holm")
    made = sns.topics[topic_arn]
    assert made["KmsMasterKeyId"] == "topic-key"
    (statement,) = json.loads(made["Policy"])["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", topic_arn)
    sns.confirm("b@example.com")
    again = approvals("add", "b.holm", "--email", "b@example.com")
    assert again.stdout == "b@example.com gets the links of b.holm.\n"
    assert len(sns.subscriptions[topic_arn]) == 1


def test_approver_outside_the_policy_is_added_with_a_hint(sns: Topics, policy: dict[str, Any]) -> None:
    assert "does not name zoe in approvals.approvers yet" in approvals("add", "zoe", "--email", "z@example.com").stderr
    policy.clear()
    assert "does not name anna in approvals.approvers yet" in approvals("add", "anna", "--email", "a@b.c").stderr
    assert set(sns.topics) == {PEOPLE, PROGRAMS, topic_of(TOPICS, "zoe"), topic_of(TOPICS, "anna")}


@pytest.mark.parametrize("name", ["-x", "a b", "ä", "x" * 65, "a/b"])
def test_name_that_no_approver_can_have_is_refused(sns: Topics, name: str) -> None:
    assert approvals("add", "--email", "a@example.com", "--", name).exit_code == 2
    assert set(sns.topics) == {PEOPLE, PROGRAMS}


def test_list_says_who_gets_links_and_what_is_missing(sns: Topics) -> None:
    approvals("add", "anna", "--email", address("anna"))
    approvals("add", "zoe", "--email", address("zoe"))
    sns.confirm(address("zoe"))
    rows = json.loads(approvals("list", "--json").stdout)
    assert [(row["approver"], row["in_policy"], row["state"]) for row in rows] == [
        ("anna", True, NOT_CONFIRMED),
        ("b.holm", True, NO_TOPIC),
        ("zoe", False, "ready"),
    ]
    shown = approvals("list").stdout
    assert "anna@example.com (not confirmed)" in shown
    assert "zoe@example.com" in shown


def test_list_names_subscriptions_of_an_earlier_version(sns: Topics) -> None:
    sns.listen(PEOPLE, "team@example.com")
    sns.listen(PEOPLE, "old@example.com", FilterPolicy='{"approver": [{"exists": false}]}')
    sns.listen(PEOPLE, "anna@example.com", FilterPolicy='{"approver": ["anna"]}')
    sns.listen(PEOPLE, "arn:aws:sqs:eu-west-1:1:q", protocol="sqs")
    assert approvals("list").stderr.splitlines() == [
        "email old@example.com has a filter that keeps alarms away, and that nobody needs any more: remove it.",
        "email anna@example.com gets no links any more: optimizer approvals add anna --email ADDRESS.",
        f"sqs arn:aws:sqs:eu-west-1:1:q gets text on the topic for people; subscribe it to {PROGRAMS} for JSON.",
    ]


def test_removed_approver_has_no_topic(sns: Topics) -> None:
    approvals("add", "anna", "--email", address("anna"))
    said = approvals("remove", "anna")
    assert (said.exit_code, said.stdout) == (0, "anna gets no links any more.\n")
    assert "still names anna" in said.stderr
    assert set(sns.topics) == {PEOPLE, PROGRAMS}
    assert approvals("remove", "anna").exit_code == 3


def test_policy_check_names_approvers_who_get_no_links(sns: Topics) -> None:
    approvals("add", "anna", "--email", address("anna"))
    given = json.dumps(POLICY)

    def check(*more: str) -> Result:
        return CliRunner().invoke(main, ["policy", "check", "-", *more], input=given)

    assert check().stderr == ""
    said = check("--stack", "optimizer")
    assert said.exit_code == 0
    missing = {"anna": NOT_CONFIRMED, "b.holm": NO_TOPIC}
    assert said.stderr.splitlines() == [
        f"Warning: The approver {name} has {reason}, so gets no link: optimizer approvals add {name} --email ADDRESS."
        for name, reason in missing.items()
    ]
    sns.confirm(address("anna"))
    approvals("add", "b.holm", "--email", address("b"))
    sns.confirm(address("b"))
    assert json.loads(check("--stack", "optimizer", "--json").stdout) == {"valid": True, "warnings": []}
