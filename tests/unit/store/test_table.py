"""What a write does when DynamoDB refuses it, collides or leaves keys unread."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from optimizer.store import table
from optimizer.store.table import ItemTable, TableBusy


def cancelled(*reasons: str) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "TransactWriteItems")


class Answers:
    """A client that gives the listed answers in order."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls = 0

    def _next(self, **_arguments: Any) -> Any:
        self.calls += 1
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transact_write_items = batch_get_item = _next


def store(*answers: Any) -> tuple[ItemTable, Answers, list[float]]:
    slept: list[float] = []
    client: Any = Answers(*answers)
    return ItemTable(client, "optimizer", sleep=slept.append), client, slept


TWO = (table.put({"pk": "A", "sk": "A"}), table.put({"pk": "B", "sk": "B"}, "attribute_not_exists(pk)"))


def test_a_failed_condition_returns_false() -> None:
    written, _, slept = store(cancelled("None", "ConditionalCheckFailed"))
    assert written.write(*TWO) is False
    assert slept == []


def test_a_collision_of_transactions_is_retried() -> None:
    written, client, slept = store(
        cancelled("TransactionConflict", "None"), cancelled("ConditionalCheckFailed", "TransactionConflict"), {}
    )
    assert written.write(*TWO) is True
    assert client.calls == 3
    assert len(slept) == 2


def test_a_throttled_part_of_a_transaction_is_retried() -> None:
    written, client, slept = store(
        cancelled("None", "ThrottlingError"), cancelled("ProvisionedThroughputExceeded", "ConditionalCheckFailed"), {}
    )
    assert written.write(*TWO) is True
    assert (client.calls, len(slept)) == (3, 2)


def test_endless_collisions_end_as_busy() -> None:
    written, client, _ = store(*[cancelled("TransactionConflict")] * 8)
    with pytest.raises(TableBusy):
        written.write(*TWO)
    assert client.calls == 8


def test_any_other_cancellation_is_passed_on() -> None:
    written, client, _ = store(cancelled("None", "ItemCollectionSizeLimitExceeded"))
    with pytest.raises(ClientError):
        written.write(*TWO)
    assert client.calls == 1


def test_keys_left_unread_are_asked_for_again() -> None:
    unread = {"optimizer": {"Keys": [{"pk": {"S": "B"}, "sk": {"S": "B"}}]}}
    first = {"Responses": {"optimizer": [{"pk": {"S": "A"}, "sk": {"S": "A"}}]}, "UnprocessedKeys": unread}
    second = {"Responses": {"optimizer": [{"pk": {"S": "B"}, "sk": {"S": "B"}}]}, "UnprocessedKeys": {}}
    read, _, slept = store(first, second)
    assert {(item["pk"], item["sk"]) for item in read.each([("A", "A"), ("B", "B"), ("A", "A")])} == {
        ("A", "A"),
        ("B", "B"),
    }
    assert len(slept) == 1
