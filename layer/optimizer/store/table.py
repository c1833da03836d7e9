"""The application's DynamoDB table as plain items: texts and whole numbers, everything else as JSON text."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import Any, cast

from botocore.exceptions import ClientError

from optimizer.aws import DynamoDBClient
from optimizer.core import OptimizerError, canonical_json

Item = dict[str, str | int]

MOST_OPERATIONS = 100
_MOST_KEYS = 100
_ATTEMPTS = 8
_FAILED_CONDITION = {"None", None, "ConditionalCheckFailed"}
# Temporary reasons of a cancelled transaction. The SDK retries a request that is throttled as a whole, but not these.
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class TableBusy(OptimizerError, RuntimeError):
    """DynamoDB left keys of a batch unread, or writes collided, at every attempt; a later attempt can succeed."""


class ItemTable:
    """The few calls that the stores need. Every write is conditional and tells if its condition held."""

    def __init__(self, dynamodb: "DynamoDBClient", name: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._sleep = sleep

    def get(self, pk: str, sk: str) -> Item | None:
        """Return the current item (a consistent read), or None."""
        answer = self._dynamodb.get_item(TableName=self._name, Key=_marshal({"pk": pk, "sk": sk}), ConsistentRead=True)
        return _unmarshal(answer["Item"]) if "Item" in answer else None

    def each(self, keys: Iterable[tuple[str, str]]) -> Iterator[Item]:
        """Yield the items that exist among the keys, in the order of the keys, read while they are consumed.

        Unread keys are requested again with growing pauses. Raise TableBusy after the last attempt."""
        for some in batched(dict.fromkeys(keys), _MOST_KEYS, strict=False):
            found = self._batch(some)
            yield from (found[key] for key in some if key in found)

    def _batch(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        found: dict[tuple[str, str], Item] = {}
        unread: Any = [_marshal({"pk": pk, "sk": sk}) for pk, sk in keys]
        for attempt in range(_ATTEMPTS):
            answer: Any = self._dynamodb.batch_get_item(
                RequestItems={self._name: {"Keys": unread, "ConsistentRead": True}}
            )
            for raw in answer["Responses"].get(self._name, []):
                item = _unmarshal(raw)
                found[str(item["pk"]), str(item["sk"])] = item
            unread = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            if not unread:
                return found
            self._sleep(_pause_s(attempt))
        raise TableBusy(f"{len(unread)} items of table {self._name} could not be read; try again")

    def query(self, pk: str, sk_prefix: str) -> list[Item]:
        """Return all items of a partition whose sort key starts with the prefix, in order."""
        return self._query("begins_with(sk, :prefix)", {":pk": pk, ":prefix": sk_prefix})

    def between(self, pk: str, first: str, last: str) -> list[Item]:
        """Return all items of a partition whose sort key lies between these, both included, in order."""
        return self._query("sk BETWEEN :first AND :last", {":pk": pk, ":first": first, ":last": last})

    def _query(self, condition: str, values: Item) -> list[Item]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression=f"pk = :pk AND {condition}",
            ExpressionAttributeValues=_marshal(values),
            ConsistentRead=True,
        )
        return [_unmarshal(raw) for page in pages for raw in page["Items"]]

    def newest(
        self, index: str, kind: str, since: str, limit: int | None, *, pk_prefix: str = ""
    ) -> list[tuple[str, str]]:
        """Return the keys of the items of a kind in the index, the newest first.

        `since`: ISO 8601, older items are left out. `limit`: None for all. `pk_prefix`: only keys that begin with it.
        An index lags a moment behind the table."""
        only: Any = {"FilterExpression": "begins_with(pk, :prefix)"} if pk_prefix else {}
        prefix = {":prefix": pk_prefix} if pk_prefix else {}
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression="#kind = :kind AND #at >= :since",
            ExpressionAttributeNames={"#kind": "kind", "#at": "at"},
            ExpressionAttributeValues=_marshal({":kind": kind, ":since": since, **prefix}),
            ScanIndexForward=False,
            PaginationConfig={} if limit is None else {"MaxItems": limit},
            **only,
        )
        return [(raw["pk"]["S"], raw["sk"]["S"]) for page in pages for raw in page["Items"]]

    def write(self, *operations: dict[str, Any], exactly: bool = False) -> bool:
        """Run `put` and `update` operations (at most MOST_OPERATIONS), all or none.

        Return False if a condition did not hold. Retry writes that collide with another transaction or are throttled;
        raise TableBusy after the last attempt.

        The SDK sends a write again if its answer was lost, and then the condition may fail because of the first write.
        With `exactly` DynamoDB recognises the retry by the token of a transaction, so that False means that somebody
        else was first. It costs twice as much.
        """
        transact = [
            {kind: {"TableName": self._name, **body}} for operation in operations for kind, body in operation.items()
        ]
        for attempt in range(_ATTEMPTS):
            try:
                self._send(transact, in_transaction=exactly or len(transact) > 1)
            except ClientError as error:
                if _condition_failed(error):
                    return False
                if not _worth_another_try(error):
                    raise
                self._sleep(_pause_s(attempt))
            else:
                return True
        raise TableBusy(f"writes to table {self._name} collided or were throttled {_ATTEMPTS} times; try again")

    def _send(self, transact: Sequence[Mapping[str, Any]], *, in_transaction: bool) -> None:
        if in_transaction:
            self._dynamodb.transact_write_items(TransactItems=cast("Any", transact))
            return
        (kind, body), *_ = transact[0].items()
        calls: dict[str, Callable[..., Any]] = {
            "Put": self._dynamodb.put_item,
            "Update": self._dynamodb.update_item,
        }
        calls[kind](**body)


def put(item: Item, condition: str = "", values: Mapping[str, str | int] | None = None) -> dict[str, Any]:
    """Return an operation that stores the item if the condition holds."""
    return {"Put": {"Item": _marshal(item), **_expression(condition, values or {}, ())}}


def update(
    pk: str,
    sk: str,
    assign: Mapping[str, str | int],
    condition: str = "",
    values: Mapping[str, str | int] | None = None,
    *,
    once: Mapping[str, str | int] | None = None,
) -> dict[str, Any]:
    """Return an operation that sets the attributes of `assign`, and those of `once` unless they are set already.

    `condition` names attributes as `#name` and the caller's values as `:name`.
    """
    once = once or {}
    parts = [f"#{name} = :set_{name}" for name in assign]
    parts += [f"#{name} = if_not_exists(#{name}, :set_{name})" for name in once]
    merged = {**{f"set_{name}": value for name, value in {**assign, **once}.items()}, **(values or {})}
    expression = _expression(condition, merged, [*assign, *once])
    return {
        "Update": {"Key": _marshal({"pk": pk, "sk": sk}), "UpdateExpression": f"SET {', '.join(parts)}", **expression}
    }


def timestamp(when: datetime) -> int:
    """Return whole seconds since 1970, the form of DynamoDB's time to live."""
    if when.tzinfo is None:
        raise ValueError(f"a time without a zone cannot be stored: {when.isoformat()}")
    return int(when.timestamp())


def json_text(document: object) -> str:
    """Return a document as one attribute: a text, because DynamoDB's numbers would alter floats and thus digests."""
    return canonical_json.dumps(document)


def _expression(condition: str, values: Mapping[str, str | int], names: Sequence[str]) -> dict[str, Any]:
    used = {word for word in condition.replace("(", " ").replace(")", " ").replace(",", " ").split() if word[0] == "#"}
    used |= {f"#{name}" for name in names}
    expression: dict[str, Any] = {}
    if condition:
        expression["ConditionExpression"] = condition
    if used:
        expression["ExpressionAttributeNames"] = {name: name[1:] for name in sorted(used)}
    if values:
        expression["ExpressionAttributeValues"] = _marshal({f":{name}": value for name, value in values.items()})
    return expression


def _condition_failed(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException" or _reasons(error) <= _FAILED_CONDITION


def _worth_another_try(error: ClientError) -> bool:
    reasons = _reasons(error)
    return error.response["Error"]["Code"] == "TransactionConflictException" or (
        bool(reasons & _PASSING) and reasons <= _FAILED_CONDITION | _PASSING
    )


def _reasons(error: ClientError) -> set[str | None]:
    """Return the reasons of a cancelled transaction; for any other error a reason that matches nothing."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return {"NotATransaction"}
    reasons: list[dict[str, str]] = cast("Any", error.response).get("CancellationReasons", [])
    return {reason.get("Code") for reason in reasons}


def _pause_s(attempt: int) -> float:
    # Jitter keeps two writers that collided from colliding again.
    return random.uniform(0.5, 1.0) * min(0.05 * 2.0**attempt, 2.0)  # noqa: S311 - not a secret


def _marshal(item: Mapping[str, str | int]) -> dict[str, Any]:
    return {key: {"N": str(value)} if isinstance(value, int) else {"S": value} for key, value in item.items()}


def _unmarshal(raw: Mapping[str, Any]) -> Item:
    return {key: int(value["N"]) if "N" in value else value["S"] for key, value in raw.items()}


def read_json(item: Mapping[str, str | int], name: str) -> Any:
    """Return the document stored by `json_text`, or None without the attribute."""
    return json.loads(str(item[name])) if name in item else None
