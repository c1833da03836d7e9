"""Imitate DynamoDB in memory as far as `optimizer.table` uses it, hundreds of times faster than moto.

test_memory_table.py compares the two.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

type Raw = dict[str, dict[str, str]]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass
class MemoryTable:
    """One table with the keys `pk` and `sk`; `items` have the form of the wire."""

    items: dict[tuple[str, str], Raw] = field(default_factory=dict)

    def answers(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Return the operations by name."""
        return {
            "GetItem": self.get_item,
            "BatchGetItem": self.batch_get_item,
            "Query": self.query,
            "PutItem": lambda request: self._alone({"Put": request}),
            "UpdateItem": lambda request: self._alone({"Update": request}),
            "DeleteItem": lambda request: self._alone({"Delete": request}),
            "TransactWriteItems": self.transact_write_items,
        }

    def get_item(self, request: dict[str, Any]) -> dict[str, Any]:
        item = self.items.get(_key(request["Key"]))
        return {"Item": dict(item)} if item else {}

    def batch_get_item(self, request: dict[str, Any]) -> dict[str, Any]:
        ((name, wanted),) = request["RequestItems"].items()
        keys = [_key(key) for key in wanted["Keys"]]
        return {"Responses": {name: [dict(self.items[key]) for key in keys if key in self.items]}}

    def query(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return items of a partition by the beginning of their sort key, or of the index by kind and time."""
        values = {name: _value(raw) for name, raw in request["ExpressionAttributeValues"].items()}
        if "IndexName" in request:
            found = [
                item
                for item in self.items.values()
                if item.keys() >= {"kind", "at"}
                and _value(item["kind"]) == values[":kind"]
                and _value(item["at"]) >= values[":since"]
                and str(_value(item["pk"])).startswith(str(values.get(":prefix", "")))
            ]
            found.sort(key=lambda item: str(_value(item["at"])), reverse=not request.get("ScanIndexForward", True))
            return {"Items": found}
        wanted = _between if ":first" in values else _begins
        keys = [key for key in self.items if key[0] == values[":pk"] and wanted(key[1], values)]
        return {"Items": [dict(self.items[key]) for key in sorted(keys)]}

    def transact_write_items(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write all items or none."""
        writes = request["TransactItems"]
        held = [self._holds(write) for write in writes]
        if not all(held):
            reasons = [{"Code": "None" if one else "ConditionalCheckFailed"} for one in held]
            code = {"Code": "TransactionCanceledException", "Message": "cancelled"}
            raise ClientError({"Error": code, "CancellationReasons": reasons}, "TransactWriteItems")  # type: ignore[typeddict-unknown-key]
        for write in writes:
            self._write(write)
        return {}

    def _alone(self, write: dict[str, Any]) -> dict[str, Any]:
        if not self._holds(write):
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException", "Message": "failed"}}, "Write")
        self._write(write)
        return {}

    def _holds(self, write: Mapping[str, Any]) -> bool:
        ((kind, body),) = write.items()
        item = self.items.get(_key(body["Item"] if kind == "Put" else body["Key"]), {})
        condition = body.get("ConditionExpression")
        if not condition:
            return True
        return any(all(_term(t.strip(), item, body) for t in terms.split(" AND ")) for terms in condition.split(" OR "))

    def _write(self, write: Mapping[str, Any]) -> None:
        ((kind, body),) = write.items()
        key = _key(body["Item"] if kind == "Put" else body["Key"])
        if kind == "Put":
            self.items[key] = dict(body["Item"])
        elif kind == "Delete":
            self.items.pop(key, None)
        else:
            item = self.items[key] = dict(self.items.get(key) or body["Key"])
            for part in body["UpdateExpression"].removeprefix("SET ").split(", #"):
                name, _, value = part.partition(" = ")
                attribute = body["ExpressionAttributeNames"][f"#{name.removeprefix('#')}"]
                if value.startswith("if_not_exists"):
                    if attribute in item:
                        continue
                    value = value.rpartition(", ")[2].removesuffix(")")
                item[attribute] = body["ExpressionAttributeValues"][value]


def _term(term: str, item: Raw, body: Mapping[str, Any]) -> bool:
    def attribute(name: str) -> str:
        return str(body.get("ExpressionAttributeNames", {}).get(name, name))

    def value(name: str) -> Any:
        return _value(body["ExpressionAttributeValues"][name])

    if term.startswith("attribute_"):
        function, _, name = term.removesuffix(")").partition("(")
        return (attribute(name) in item) == (function == "attribute_exists")
    name, sign, right = term.split(" ", 2)
    if attribute(name) not in item:
        # What is missing differs from every value, and compares with none.
        return sign == "<>"
    left = _value(item[attribute(name)])
    if sign == "IN":
        return left in [value(one) for one in right.strip("()").split(", ")]
    return _COMPARE[sign](left, value(right))


def _begins(sk: str, values: Mapping[str, str | int]) -> bool:
    return sk.startswith(str(values[":prefix"]))


def _between(sk: str, values: Mapping[str, str | int]) -> bool:
    return str(values[":first"]) <= sk <= str(values[":last"])


def _key(raw: Raw) -> tuple[str, str]:
    return raw["pk"]["S"], raw["sk"]["S"]


def _value(raw: Mapping[str, str]) -> str | int:
    return int(raw["N"]) if "N" in raw else raw["S"]
