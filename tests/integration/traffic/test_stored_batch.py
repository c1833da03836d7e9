"""The histories of a batch, handed on from the analysis to the steps that follow it in one object."""

from collections.abc import Iterator
from typing import Any

import boto3
import numpy as np
import pytest
from optimizer.store import Documents
from optimizer.traffic import BatchHistories, stored_history, write_batch
from optimizer.traffic.history import HOUR_METRICS, MINUTE_METRICS, History, Series, empty_series

from tests.helpers.own_account import BUCKET, own_account


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> Iterator[Documents]:
    with own_account(monkeypatch):
        yield Documents(boto3.client("s3"), BUCKET)


def history(calls: float) -> History:
    return History(Series(100, {metric: np.full(60, calls) for metric in MINUTE_METRICS}), empty_series(HOUR_METRICS))


def calls_of(found: History) -> float:
    return float(found.minutes.values["invocations"].sum()) if len(found.minutes) else 0.0


def read(documents: Documents, *names: str, run_id: str = "run-1") -> list[float]:
    found = BatchHistories.read(documents, run_id, "0000")
    return [calls_of(found.history(name)) for name in names]


def single(documents: Documents, **calls: float) -> None:
    for name, each in calls.items():
        documents.write_bytes(f"history/{name}.npz", history(each).to_bytes("live"), "application/octet-stream")


def test_one_call_reads_a_batch(documents: Documents) -> None:
    write_batch(documents, "run-1", "0000", {"orders": history(1).to_bytes("live"), "mails": history(2).to_bytes()})
    asked: list[str] = []
    client: Any = documents._s3
    client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    assert read(documents, "orders", "mails") == [60, 120]
    assert asked == ["GetObject"]


def test_what_the_run_did_not_hand_on_is_read_by_itself(documents: Documents) -> None:
    single(documents, orders=3, mails=4)
    assert read(documents, "orders", "mails", "unknown") == [180, 240, 0]
    write_batch(documents, "run-1", "0000", {"orders": history(1).to_bytes("live")})
    assert read(documents, "orders", "mails") == [60, 240]
    assert read(documents, "orders", run_id="run-2") == [180], "another run handed it on"
    assert calls_of(stored_history(documents, "orders")) == 180


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x05\x06"])
def test_damaged_archive_costs_the_calls_only(documents: Documents, damage: bytes) -> None:
    single(documents, orders=3)
    documents.write_bytes("history/batch.0000.zip", damage, "application/zip")
    assert read(documents, "orders") == [180]


def test_damaged_history_is_read_by_itself(documents: Documents) -> None:
    single(documents, orders=3)
    write_batch(documents, "run-1", "0000", {"orders": b"no history"})
    assert read(documents, "orders") == [180]
