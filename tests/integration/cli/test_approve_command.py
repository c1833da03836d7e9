"""`optimizer approve`, against the handler's own answers."""

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from optimizer.approvals import respond_directly, show_approval_request
from optimizer.core.change import Status
from optimizer_cli.main import main

from tests.helpers.asking import EVERYBODY, NOW, TWO_OF_THREE, Asking, asking


class Lambda:
    """Invokes answer_approval in this process."""

    def __init__(self, office: Asking) -> None:
        self.office = office
        self.functions: list[str] = []

    def invoke(self, FunctionName: str, Payload: str) -> Any:  # noqa: N803 - names of boto3
        self.functions.append(FunctionName)
        event = json.loads(Payload)
        store = self.office.store
        if event["step"] == "show":
            answer = show_approval_request(store, event["run_id"])
        else:
            answer = respond_directly(store, event, NOW, *self.office.tellers)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    with asking(monkeypatch) as found:
        client, own = boto3.client, Lambda(found)
        monkeypatch.setattr(boto3, "client", lambda name, **rest: own if name == "lambda" else client(name, **rest))
        yield found


def optimizer(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["approve", *words], input=answer)


def test_approve_shows_changes_and_asks_to_confirm(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    declined = optimizer("run-1", answer="n\n")
    assert declined.exit_code == 1
    assert "orders" in declined.output
    assert "saves $3.20" in " ".join(declined.output.split())
    assert office.told == []
    agreed = optimizer("run-1", "--reason", "fine", answer="y\n")
    assert (agreed.exit_code, agreed.output.splitlines()[-1]) == (0, "Approved 1, rejected 0.")
    assert office.statuses(orders) == [Status.APPROVED]


def test_changes_that_are_not_named_are_rejected(office: Asking) -> None:
    orders, carts = office.propose("orders"), office.propose("carts")
    office.ask(orders, carts)
    done = optimizer("run-1", carts.id, "--yes", "--json", "--by", "Anna")
    assert json.loads(done.output)["approved"] == [carts.id]
    assert office.statuses(orders, carts) == [Status.REJECTED, Status.APPROVED]
    assert "Rejected by Anna." in office.store.change(orders.id).message


def test_reject_rejects_everything(office: Asking) -> None:
    orders = office.propose("orders")
    office.ask(orders)
    assert optimizer("run-1", "--reject", "--yes").exit_code == 0
    assert office.statuses(orders) == [Status.REJECTED]


def test_approver_must_be_named_if_there_are_several(office: Asking) -> None:
    office.ask(office.propose("orders"), approvals=TWO_OF_THREE)
    assert "--as anna or --as ben or --as cleo" in optimizer("run-1", "--yes").output
    assert "The run waits for 1 more response." in optimizer("run-1", "--yes", "--as", "ben").output
    again = optimizer("run-1", "--yes", "--as", "ben")
    assert (again.exit_code, "ben has responded to run run-1" in again.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run-2", "--yes"), "This run has no approval request"),
        (("run-1", "memory-9", "--yes"), "memory-9: not in this approval request, which has: memory-"),
        (("run-1", "memory-9", "--reject"), "--reject rejects all changes"),
        (("run-1", "--json"), "--json needs --yes, because it cannot ask you to confirm."),
    ],
)
def test_mistake_is_reported_in_one_sentence(office: Asking, words: tuple[str, ...], says: str) -> None:
    office.ask(office.propose("orders"))
    result = optimizer(*words)
    assert result.exit_code in (1, 2)
    assert says in result.output
    assert "Traceback" not in result.output


def test_mail_page_and_terminal_show_the_same_numbers(office: Asking) -> None:
    office.ask(office.propose("orders"))
    mail = " ".join(office.mails(EVERYBODY)[0].body.split())
    page = office.request(office.link())["body"]
    terminal = optimizer("run-1", answer="n\n").output
    price = "saves $3.20 ($2.30 to $4.10) a month"
    assert price in mail
    assert price in page
    assert price in show_approval_request(office.store, "run-1")["changes"][0]["price"]
    assert all(word in terminal for word in price.split())
    assert "512 -> 768" in mail
    assert "512 \N{RIGHTWARDS ARROW} 768" in page
