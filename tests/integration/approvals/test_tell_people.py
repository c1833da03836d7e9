"""Everybody is told of each response to an approval request, once."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from optimizer.approvals import people_teller, tell_answers
from optimizer.report.publish import Channels

from tests.helpers.asking import EVERYBODY, NOW, TWO_OF_THREE, Asking, address, approve, asking


class Events:
    """A bus that keeps its events."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, **request: Any) -> dict[str, Any]:
        self.entries += request["Entries"]
        return {"FailedEntryCount": 0}


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    with asking(monkeypatch) as found:
        yield found


def tell(office: Asking) -> dict[str, Any]:
    return tell_answers(office.store, office.sender(), "run-1", NOW)


def test_each_response_is_told_to_everybody_once(office: Asking) -> None:
    """A link that was misused is noticed by the approver whose link it is, and by all others."""
    office.events = Events()
    orders, carts = office.propose("orders"), office.propose("carts")
    office.ask(orders, carts, approvals=TWO_OF_THREE)
    (asked,) = office.events.entries
    link_of_ben = office.link("ben")
    office.post(office.link("anna"), approve("Somebody", decision="some", change=[orders.id], reason="too large"))
    assert office.told_of == ["run-1"]
    assert tell(office) == tell(office) == {"outcome": "told", "run_id": "run-1", "responses": 1}
    for one in (EVERYBODY, *(address(name) for name in ("anna", "ben", "cleo"))):
        (mail,) = [mail for mail in office.mails(one) if "responded" in mail.subject]
        assert mail.subject == "Optimizer: anna responded to run run-1: approved 1 of 2"
        assert "Somebody (as anna) responded on" in mail.body
        assert 'with the reason "too large"' in mail.body
        assert "Approved:\n- orders: memory 512 -> 768 MB" in mail.body
        assert "Rejected:\n- carts: memory 512 -> 768 MB" in mail.body
        assert "The run waits for 1 more response." in mail.body
        assert f"optimizer revert {orders.id}" in mail.body
        assert len(mail.body.splitlines()) <= 25
    said = [one.document for one in office.received() if one.document["kind"] == "Approval answered"]
    assert [(one["answered_by"], one["approved"], one["rejected"], one["outcome"]) for one in said] == [
        ("anna", [orders.id], [carts.id], "recorded")
    ]
    office.post(link_of_ben, approve("Ben"))
    tell(office)
    assert "applied now" in office.mails(address("anna"))[-1].body
    for event in (asked, *office.events.entries[1:]):
        for secret in ("anna", "ben", "cleo", "d" * 64, "lambda-url"):
            assert secret not in event["Detail"], event["DetailType"]
    assert [one["DetailType"] for one in office.events.entries] == ["Approval wanted", *["Approval answered"] * 2]


def test_a_request_that_does_not_exist_is_told_of_to_nobody(office: Asking) -> None:
    assert tell_answers(office.store, office.sender(), "run-9", NOW)["outcome"] == "unknown"
    assert office.received() == []


def test_response_counts_where_people_cannot_be_told(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[dict[str, Any]] = []

    class Broken:
        def invoke(self, **request: Any) -> None:
            asked.append(request)
            raise EndpointConnectionError(endpoint_url="https://lambda")

    people_teller(lambda: Broken(), "optimizer-request_approval")("run-1")  # type: ignore[arg-type, return-value]
    assert (asked[0]["FunctionName"], asked[0]["InvocationType"]) == ("optimizer-request_approval", "Event")
    assert "could not be told of a response to run run-1" in caplog.text


def test_channels_of_one_approver_keep_the_topic_of_programs() -> None:
    channels = Channels(None, None, "people", "programs")  # type: ignore[arg-type]
    assert channels.of_one_approver("anna").programs_arn == "programs"
