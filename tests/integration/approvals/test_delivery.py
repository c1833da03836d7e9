"""Messages reach the people and programs that they are for, and nobody else, by SNS's documented rules."""

import json
import re
from collections.abc import Iterator
from typing import get_args

import pytest
from optimizer.approvals.topics import (
    NO_TOPIC,
    NOT_CONFIRMED,
    approver_of,
    approver_topics,
    delete_topics,
    topic_of,
    unreached,
)
from optimizer.core import Status

from tests.helpers.asking import EVERYBODY, NOW, PROGRAM, TOPICS, TWO_OF_THREE, Asking, address, asking
from tests.helpers.topics import ALARM, PEOPLE, PROGRAMS, Setting, Topics

# Subscriptions that people made for the version before: the mail subscription's filter, and an approver's.
NOBODY_S, ANNA_S = '{"approver": [{"exists": false}]}', '{"approver": ["anna"]}'
LINK = re.compile(r"https://\S+mac=\S+")


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    with asking(monkeypatch) as found:
        yield found


@pytest.mark.parametrize("setting", get_args(Setting.__value__))
def test_address_gets_alarms_results_and_its_own_link(office: Asking, setting: Setting) -> None:
    """Whatever becomes of attributes beside JSON, which no source settles."""
    office.sns.attributes_with_json = setting
    office.add_approver("anna")
    office.sns.listen(topic_of(TOPICS, "anna"), EVERYBODY)
    office.sns.alarm()
    office.ask(office.propose("orders"), approvals=TWO_OF_THREE)

    alarm, link = office.mails(EVERYBODY)

    assert json.loads(alarm.body) == ALARM
    assert LINK.search(link.body)[0] == office.link("anna")  # type: ignore[index]


@pytest.mark.parametrize("setting", get_args(Setting.__value__))
def test_subscription_without_filter_sees_nobody_s_link(office: Asking, setting: Setting) -> None:
    office.sns.attributes_with_json = setting
    office.sns.create_topic(Name="optimizer_approver_anna")
    office.ask(office.propose("orders"), approvals=TWO_OF_THREE)
    links = {office.link(name) for name in ("anna", "ben", "cleo")}
    assert len(links) == 3
    for endpoint in (EVERYBODY, PROGRAM):
        assert not [one for one in office.mails(endpoint) if LINK.search(one.body)]
    for name in ("anna", "ben", "cleo"):
        seen = {found[0] for one in office.mails(address(name)) if (found := LINK.search(one.body))}
        assert seen == {office.link(name)}
    assert [one.document["approver"] for one in office.received()] == ["anna", "ben", "cleo"]
    assert "mac=" not in json.dumps([one.document for one in office.received()])


def test_link_is_not_cut_off_in_any_script(office: Asking) -> None:
    changes = [office.propose(f"orders-{n}", reason="Память функции будет увеличена вдвое. " * 40) for n in range(30)]
    office.ask(*changes, approvals=TWO_OF_THREE)
    (mail,) = office.mails(address("anna"))
    assert len(mail.body.encode()) > 50_000
    assert office.link("anna") in mail.body.splitlines()


def test_link_of_everybody_reaches_people_and_programs(office: Asking) -> None:
    """A policy without named approvers gives everybody who gets the messages one link."""
    office.ask(office.propose("orders"))
    (mail,), (program,) = office.mails(EVERYBODY), office.received()
    assert program.document["link"] in mail.body.splitlines()


def test_approver_without_topic_is_told_how_to_respond(office: Asking) -> None:
    """The link goes to nobody, and people learn who has no topic and how to respond by command."""
    office.add_approver("anna")
    office.sns.create_topic(Name="optimizer_approver_cleo")
    approval = requested(office)

    (told,) = office.mails(EVERYBODY)

    text = " ".join(told.body.split())
    assert f"ben has {NO_TOPIC}; cleo has {NOT_CONFIRMED}." in text
    for name in ("ben", "cleo"):
        assert f"optimizer approve run-1 --as {name}" in told.body.splitlines()
        assert f"optimizer approvals add {name} --email ADDRESS" in told.body.splitlines()
    assert "anna" not in text
    assert not LINK.search(told.body)
    assert LINK.search(office.mails(address("anna"))[0].body)
    assert len(office.received()) == 3
    assert approval == {"outcome": "asked", "run_id": "run-1", "approvers": 3, "changes": 1}


def test_request_is_told_once_to_people(office: Asking) -> None:
    requested(office)
    requested(office)
    assert len(office.mails(EVERYBODY)) == 1


def test_filters_of_the_version_before_still_pass(office: Asking) -> None:
    """Nobody's filter lets the alarm through, so docs/upgrade.md says who must act; approvers learn that they must."""
    office.sns.listen(PEOPLE, "old@example.com", FilterPolicy=NOBODY_S)
    office.sns.listen(PEOPLE, "anna.old@example.com", FilterPolicy=ANNA_S)
    office.sns.listen(PEOPLE, "severe@example.com", FilterPolicy='{"severity": ["warning", "error"]}')
    requested(office)
    (told,) = office.mails("anna.old@example.com")
    assert "optimizer approvals add anna --email ADDRESS" in told.body
    assert not LINK.search(told.body)
    assert len(office.mails("severe@example.com")) == 1
    assert office.mails("old@example.com") == []


def test_programs_filter_on_attributes_and_on_the_body(office: Asking) -> None:
    office.sns.listen(PROGRAMS, "by-attribute", protocol="sqs", FilterPolicy='{"tuner": ["memory"]}')
    by_body = {"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"kind": ["Approval wanted"], "approver": ["ben"]}'}
    office.sns.listen(PROGRAMS, "by-body", protocol="sqs", **by_body)
    requested(office)
    assert len(office.mails("by-attribute")) == 3
    (only,) = office.mails("by-body")
    assert only.document["approver"] == "ben"


def test_names_of_topics_are_unambiguous() -> None:
    names = ["anna", "a.b", "a_b", "a-b", "a_.b", "a._b", "a__b", "a_-b", "A.b", "9.", "x-_"]
    topics = approver_topics(PEOPLE, "optimizer")
    arns = [topic_of(topics, name) for name in names]
    assert len(set(arns)) == len(names)
    assert [approver_of(topics, arn) for arn in arns] == names
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", arn.rpartition(":")[2]) for arn in arns)
    assert approver_of(topics, PEOPLE) == ""


def test_topics_go_with_their_stack_alone() -> None:
    sns = Topics()
    mine = ["optimizer_approver_anna", "optimizer_approver_a_-b"]
    others = ["optimizer-two_approver_anna", "optimizer-approver-x", "teams"]
    for name in (*mine, *others):
        sns.create_topic(Name=name)
    assert delete_topics(sns, TOPICS) == 2  # type: ignore[arg-type]
    assert {arn.rpartition(":")[2] for arn in sns.topics} >= set(others)
    assert not {arn.rpartition(":")[2] for arn in sns.topics} & set(mine)


def test_unreached_approvers_are_those_without_confirmed_address() -> None:
    sns = Topics()
    for name in ("anna", "ben"):
        sns.create_topic(Name=f"optimizer_approver_{name}")
        sns.subscribe(TopicArn=topic_of(TOPICS, name), Protocol="email", Endpoint=address(name))
    sns.confirm(address("anna"))
    found = unreached(sns, TOPICS, ["anna", "ben", "cleo"])  # type: ignore[arg-type]
    assert found == {"ben": NOT_CONFIRMED, "cleo": NO_TOPIC}


def requested(office: Asking) -> dict[str, object]:
    """Send a request of three approvers without making topics for them."""
    stored = office.store.changes_of("run-1")
    change = next((one.change for one in stored), None) or office.propose("orders")
    assert office.store.change(change.id).status is Status.AWAITING_APPROVAL
    return office.ask(change, approvals=TWO_OF_THREE, now=NOW, with_topics=False)
