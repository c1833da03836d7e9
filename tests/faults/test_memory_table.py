"""Compare the table in memory, on which the fault tests run, with moto's."""

import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import Phase, given, settings, strategies as st
from moto import mock_aws
from optimizer.store import table
from optimizer.store.table import ItemTable

from tests.helpers.faults.faulty_aws import FaultyAws
from tests.helpers.faults.memory_table import MemoryTable
from tests.helpers.own_account import create_run_table

KEYS = st.sampled_from([("A", "1"), ("A", "2"), ("A", "12"), ("B", "1")])
VALUES = st.dictionaries(
    st.sampled_from(["n", "status", "kind", "at"]), st.sampled_from(["x", "y"]), min_size=1, max_size=3
)
CONDITIONS = st.sampled_from(
    [
        ("", {}),
        ("attribute_not_exists(pk)", {}),
        ("attribute_exists(#pk)", {}),
        ("attribute_not_exists(pk) OR #n <= :v OR #status = :v", {"v": "x"}),
        ("attribute_not_exists(#n) OR #status <> :v", {"v": "x"}),
        ("attribute_not_exists(pk) OR #n < :v", {"v": "y"}),
        ("#status IN (:v, :w)", {"v": "x", "w": "z"}),
    ]
)


@st.composite
def writes(draw: st.DrawFn) -> dict[str, object]:
    (pk, sk), values, (condition, with_) = draw(KEYS), draw(VALUES), draw(CONDITIONS)
    if draw(st.booleans()):
        return table.put({"pk": pk, "sk": sk, **values}, condition, with_)
    once = {name: "y" for name in ("n", "at") if name not in values}
    return table.update(pk, sk, values, condition, with_, once=once)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        yield boto3.client("dynamodb", "eu-west-1")


@given(st.lists(st.lists(writes(), min_size=1, max_size=3), max_size=12))
@settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate])
def test_memory_table_answers_like_the_emulated_service(dynamodb: Any, batches: list[list[dict[str, object]]]) -> None:
    name = f"table-{uuid.uuid4()}"
    create_run_table(dynamodb, name)
    emulated = _seen(ItemTable(dynamodb, name), batches)
    with pytest.MonkeyPatch.context() as monkeypatch:
        FaultyAws(dict(MemoryTable().answers())).install(monkeypatch)
        assert _seen(ItemTable(dynamodb, name), batches) == emulated


def _seen(store: ItemTable, batches: list[list[dict[str, object]]]) -> list[object]:
    seen: list[object] = []
    for batch in batches:
        # A transaction may name an item only once.
        one_each = {str(next(iter(write.values()))): write for write in batch}
        keys = [str(sorted(_key(write).items())) for write in one_each.values()]
        if len(set(keys)) == len(keys):
            seen.append(store.write(*one_each.values()))
    seen += [store.get("A", "1"), store.query("A", "1"), store.query("B", "1")]
    seen += [list(store.each([("A", "1"), ("B", "1"), ("C", "1")]))]
    # The order of equal times is undefined.
    seen += [sorted(store.newest("by_kind", "x", "x", 10))]
    return seen


def _key(write: dict[str, object]) -> dict[str, object]:
    (body,) = write.values()
    assert isinstance(body, dict)
    item = body.get("Item") or body["Key"]
    return {name: item[name] for name in ("pk", "sk")}
