"""From the approval request to the run that is told: records, messages, and crashes in between."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from optimizer.approvals import PageServices, respond_directly, respond_to_page_request, show_approval_request
from optimizer.approvals.expire import expire_approval_request
from optimizer.approvals.respond import settle
from optimizer.core.approval import Approval, ApprovalStatus
from optimizer.core.change import Status
from optimizer.store import RunStore

from tests.helpers.asking import (
    DIGEST,
    EVERYBODY,
    FROM_PAGE,
    NOW,
    TOKEN,
    TWO_OF_THREE,
    Asking,
    approve,
    asking,
    url_event,
)

LATER = NOW + timedelta(hours=1)
TOO_LATE = NOW + timedelta(hours=25)


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    with asking(monkeypatch) as found:
        yield found


def test_message_has_changes_and_link_but_no_task_token(office: Asking) -> None:
    orders = office.propose("orders")
    assert office.ask(orders)["outcome"] == "asked"
    assert office.told == []
    (said,), (received,) = office.mails(EVERYBODY), office.received()
    program = received.document
    text = " ".join(said.body.split())
    assert said.subject == "Optimizer: 1 change waits for your approval until Tue 3 Nov 2026, 10:00 Europe/Berlin"
    assert "orders: memory 512 -> 768 MB. It is faster with more memory" in text
    assert "Bill: saves $3.20 ($2.30 to $4.10) a month. Risk: medium:" in text
    assert "Respond until Tue 3 Nov 2026, 10:00 Europe/Berlin (Tue 09:00 UTC)." in text
    assert program["link"] in said.body.splitlines()
    assert program["text"] == said.body
    assert DIGEST in said.body.splitlines()
    assert "approver" not in said.attributes
    assert TOKEN not in said.body + received.body


def test_each_approver_gets_an_own_link(office: Asking) -> None:
    office.ask(office.propose("orders"), approvals=TWO_OF_THREE)
    assert sorted(one.document["approver"] for one in office.received()) == ["anna", "ben", "cleo"]
    assert len({office.link(name) for name in ("anna", "ben", "cleo")}) == 3


def test_run_is_told_approved_and_rejected_changes(office: Asking) -> None:
    orders, carts = office.propose("orders"), office.propose("carts")
    office.ask(orders, carts)
    answer = office.post(office.link(), approve(decision="some", change=[orders.id], reason="as we said"))
    assert answer["statusCode"] == 200
    told = {
        "outcome": "answered",
        "approved": [{"change_id": orders.id, "tuner": "memory"}],
        "rejected": [{"change_id": carts.id, "tuner": "memory"}],
    }
    assert office.told == [(TOKEN, told)]
    assert office.statuses(orders, carts) == [Status.APPROVED, Status.REJECTED]
    assert office.store.change(carts.id).message == "Rejected by Anna Berg: as we said."
    assert {one: found.said for one, found in office.store.rejections([orders, carts], NOW).items()} == {
        carts.id: "Rejected by Anna Berg: as we said."
    }
    recorded = office.store.approval("run-1")
    assert recorded is not None
    # Address and browser are personal data, and the record has no end.
    assert (recorded.task_token, recorded.votes[0].origin) == ("", "")


def test_two_approvers_are_needed_if_the_policy_says_so(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders, approvals=TWO_OF_THREE)
    assert "1 more response of ben, cleo" in office.post(office.link("anna"), approve())["body"]
    assert office.told == []
    assert office.post(office.link("anna"), approve("Ben"))["statusCode"] == 409
    assert office.told == []
    assert office.post(office.link("ben"), approve("Ben"))["statusCode"] == 200
    assert office.statuses(orders) == [Status.APPROVED]
    assert len(office.told) == 1


def test_next_request_tells_the_run_after_a_crash(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    office.broken = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        office.post(office.link(), approve())
    office.broken = None
    opened = office.request(office.link())
    assert "The run is being told" in opened["body"]
    assert office.told == []
    office.post(office.link(), approve("Mallory", "none"), now=NOW + timedelta(seconds=59))
    assert office.told == []
    again = office.post(office.link(), approve("Mallory", "none"), now=LATER)
    assert "Anna Berg responded on" in again["body"]
    assert [answer["approved"] for _, answer in office.told] == [[{"change_id": orders.id, "tuner": "memory"}]]
    assert office.statuses(orders) == [Status.APPROVED]


def test_one_of_two_concurrent_calls_tells_the_run(office: Asking) -> None:
    """The second comes while the first is about to tell the run, and while it has told it and not recorded that."""
    orders = office.propose("orders")
    office.ask(orders)
    told, seen = office.tell_run, []

    def with_another(token: str, answer: Any) -> bool:
        for _ in range(2):
            asked = office.store.approval("run-1")
            assert asked is not None
            seen.append(settle(office.store, asked, NOW, told).giving_back_at)
            if not office.told:
                assert told(token, answer)
        return True

    services = PageServices(office.store, office.signatures, with_another, office.tell_people)
    event = url_event(office.link(), "POST", body=urlencode(approve()), headers=FROM_PAGE)
    assert respond_to_page_request(event, services, NOW)[1]["statusCode"] == 200
    assert seen == [NOW, NOW]
    assert office.statuses(orders) == [Status.APPROVED]
    assert len(office.told) == 1


def test_response_stands_after_a_crash_that_told_the_run(office: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    told = office.tell_run

    def die(token: str, answer: Any) -> bool:
        told(token, answer)
        raise ConnectionError

    monkeypatch.setattr(Asking, "tell_run", lambda _self, token, answer: die(token, answer))
    with pytest.raises(ConnectionError):
        office.post(office.link(), approve())
    monkeypatch.undo()
    assert office.post(office.link(), {"decision": "finish"}, now=LATER)["statusCode"] == 409
    assert office.statuses(orders) == [Status.APPROVED]
    assert len(office.told) == 1


def test_response_to_an_ended_run_rejects_the_changes(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    office.waits = False
    answer = office.post(office.link(), approve())
    assert (answer["statusCode"], "withdrawn" in answer["body"]) == (410, True)
    assert office.statuses(orders) == [Status.REJECTED]
    assert office.request(office.link())["statusCode"] == 410


def test_expired_request_rejects_only_its_changes(office: Asking) -> None:
    orders = office.propose("orders")
    automatic = office.propose("carts")
    office.store.move(automatic.id, Status.APPROVED, NOW, from_any={Status.AWAITING_APPROVAL})
    office.ask(orders)
    assert expire_approval_request(office.store, "run-1", TOO_LATE)["rejected"] == 1
    assert office.statuses(orders, automatic) == [Status.REJECTED, Status.APPROVED]
    assert office.store.rejections([orders], NOW) == {}, "nobody said no, so it is asked for again"
    assert "expired" in office.request(office.link(), now=TOO_LATE)["body"]


def test_response_that_reached_the_run_too_late_is_void(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    office.broken = ConnectionError("gone")
    with pytest.raises(ConnectionError):
        office.post(office.link(), approve())
    expire_approval_request(office.store, "run-1", TOO_LATE)
    office.broken = None
    assert office.statuses(orders) == [Status.REJECTED]
    assert office.post(office.link(), approve(), now=TOO_LATE)["statusCode"] == 410
    assert office.told == []


def test_expiry_without_a_request_rejects_waiting_changes(office: Asking) -> None:
    orders = office.propose("orders")
    assert expire_approval_request(office.store, "run-1", LATER)["rejected"] == 1
    assert expire_approval_request(office.store, "run-1", LATER)["rejected"] == 0
    assert office.statuses(orders) == [Status.REJECTED]


def test_run_that_waits_anew_sends_newer_links(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    office.ask(orders, now=LATER, token="token-2")
    old, new = (said.document["link"] for said in office.received())
    assert old != new
    office.post(new, approve(), now=LATER)
    assert [token for token, _ in office.told] == ["token-2"]
    office.waits = True
    assert office.ask(orders, now=LATER, token="token-3")["outcome"] == "answered"
    assert office.told[0][1] == office.told[1][1]


def test_message_is_sent_once(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    office.ask(orders)
    assert len(office.received()) == 1


def test_response_with_iam_counts_like_one_on_the_page(office: Asking) -> None:
    orders, carts = office.propose("orders"), office.propose("carts")
    office.ask(orders, carts, approvals=TWO_OF_THREE)
    shown = show_approval_request(office.store, "run-1")
    assert [change["title"] for change in shown["changes"]] == [
        "carts: memory 512 -> 768 MB", "orders: memory 512 -> 768 MB",
    ]  # fmt: skip
    assert TOKEN not in json.dumps(shown)
    event = {
        "run_id": "run-1",
        "digest": shown["digest"],
        "approved": [orders.id],
        "by": "Ben",
        "reason": "carts later",
    }
    first = respond_directly(office.store, {**event, "approver": "ben"}, LATER, *office.tellers)
    assert (first["outcome"], first["outstanding"]) == ("recorded", 1)
    assert respond_directly(office.store, {**event, "approver": "ben"}, LATER, *office.tellers)["outcome"] == "refused"
    assert office.post(office.link("anna"), approve(), now=LATER)["statusCode"] == 200
    assert office.statuses(orders, carts) == [Status.APPROVED, Status.REJECTED]
    recorded = office.store.approval("run-1")
    assert recorded is not None
    assert [vote.channel for vote in recorded.votes] == ["iam", "link"]
    assert recorded.status is ApprovalStatus.ANSWERED


def test_response_with_iam_that_does_not_count_says_why(office: Asking) -> None:
    event = {"run_id": "run-1", "digest": "e" * 64, "approved": [], "by": "Ben", "approver": "anyone"}
    assert (
        respond_directly(office.store, event, NOW, *office.tellers)["message"] == "Run run-1 has no approval request."
    )
    office.ask(office.propose("orders"))
    refused = respond_directly(office.store, event, NOW, *office.tellers)
    assert refused["message"] == "The plan of run run-1 is not the one that the response is for."
    assert show_approval_request(office.store, "run-2")["outcome"] == "unknown"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs whose approval request was loaded, in order."""
    loaded: list[str] = []
    load = RunStore.approval

    def counted(store: RunStore, run_id: str) -> Any:
        loaded.append(run_id)
        return load(store, run_id)

    monkeypatch.setattr(RunStore, "approval", counted)
    return loaded


def respond_on_the_page(office: Asking) -> None:
    assert office.post(office.link("anna"), approve())["statusCode"] == 200


def respond_with_iam(office: Asking) -> None:
    event = {"run_id": "run-1", "digest": DIGEST, "approved": [], "by": "Ben", "approver": "ben"}
    assert respond_directly(office.store, event, NOW, *office.tellers)["outcome"] in (
        "recorded",
        "answered",
    )


@pytest.mark.parametrize("respond", [respond_on_the_page, respond_with_iam])
@pytest.mark.parametrize("needed", [1, 2])
def test_response_loads_its_approval_request_once(
    office: Asking, loads: list[str], respond: Callable[[Asking], None], needed: int
) -> None:
    """Whether it is the last response that is needed, so that the run is told, or the first of two."""
    office.ask(office.propose("orders"), approvals={**TWO_OF_THREE, "needed": needed})
    loads.clear()
    respond(office)
    assert loads == ["run-1"]


@pytest.mark.parametrize("respond", [respond_on_the_page, respond_with_iam])
def test_response_that_lost_a_write_loads_the_request_again(
    office: Asking, loads: list[str], respond: Callable[[Asking], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cleo responds between the load and the write; both responses count."""
    orders = office.propose("orders")
    office.ask(orders, approvals=TWO_OF_THREE)
    replace, cleo = RunStore.replace_approval, {"run_id": "run-1", "digest": DIGEST, "by": "Cleo", "approver": "cleo"}

    def with_cleo_first(store: RunStore, before: Approval, after: Approval) -> bool:
        monkeypatch.setattr(RunStore, "replace_approval", replace)
        respond_directly(store, {**cleo, "approved": [orders.id]}, NOW, *office.tellers)
        return replace(store, before, after)

    monkeypatch.setattr(RunStore, "replace_approval", with_cleo_first)
    loads.clear()
    respond(office)
    assert loads == ["run-1"] * 3
    recorded = office.store.approval("run-1")
    assert recorded is not None
    assert [vote.approver for vote in recorded.votes] == ["cleo", "anna" if respond is respond_on_the_page else "ben"]
