"""Everything that version 0.1.0 stored is read by today's code.

Its own classes wrote the items and documents: changes of each tuner in each phase of their progress, an open approval
request with one response, runs, cool-downs, pings, a policy, proposals and history. `make test-upgrade` shows the same
with its deployed Lambdas.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from moto import mock_aws
from optimizer.caches.progress import TtlProgress
from optimizer.capacity.progress import CapacityProgress
from optimizer.core import Approval, Change, Status, Tuner, Vote
from optimizer.function_logs import FunctionHistory
from optimizer.indexes.change.progress import IndexProgress
from optimizer.indexes.model import Past
from optimizer.lifecycle import ChangeProgress
from optimizer.policy import Policy, read_policy
from optimizer.store import KeptWarm, PingLog, PlansInPlace, RunStore
from optimizer.warmups.progress import WarmupProgress

from tests.helpers.own_account import create_run_table

FOLDER = Path(__file__).parent / "v0_1_0"
ITEMS: list[dict[str, Any]] = json.loads((FOLDER / "items.json").read_text())
DOCUMENTS: Mapping[str, Any] = json.loads((FOLDER / "documents.json").read_text())
PLAIN = [{name: TypeDeserializer().deserialize(value) for name, value in item.items()} for item in ITEMS]
CHANGES = [item for item in PLAIN if item["sk"] == "CHANGE"]
PROGRESS: Mapping[Tuner, type[ChangeProgress]] = {
    Tuner.MEMORY: CapacityProgress,
    Tuner.PROVISIONED_CONCURRENCY: CapacityProgress,
    Tuner.WARMUPS: WarmupProgress,
    Tuner.CACHE_TTLS: TtlProgress,
    Tuner.INDEXES: IndexProgress,
}


NOW = datetime(2026, 11, 20, 9, 0, 0, 123, tzinfo=UTC)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        client = boto3.client("dynamodb", region_name="eu-central-1")
        create_run_table(client)
        for item in ITEMS:
            client.put_item(TableName="optimizer", Item=item)
        yield client


@pytest.fixture(scope="module")
def store(dynamodb: Any) -> RunStore:
    return RunStore(dynamodb, "optimizer")


def test_there_is_a_change_of_each_tuner_under_observation() -> None:
    watched = {json.loads(item["document"])["tuner"] for item in CHANGES if item["status"] == "watching"}
    assert watched == {tuner.value for tuner in PROGRESS}


@pytest.mark.parametrize("item", CHANGES, ids=lambda item: item["pk"])
def test_a_change_is_read_with_its_progress(item: dict[str, Any], store: RunStore) -> None:
    stored = store.change(item["pk"].removeprefix("CHANGE#"))
    assert stored.status is Status(item["status"])
    assert stored.change.digest == item["digest"]
    progress = PROGRESS[stored.change.tuner].from_document(stored.progress)
    assert progress.to_document() == stored.progress
    assert store.history(stored.change.id)


def test_a_change_is_moved_on(store: RunStore) -> None:
    watched = next(item for item in CHANGES if item["status"] == "watching")
    change, now = watched["pk"].removeprefix("CHANGE#"), datetime.now(UTC)
    store.save_progress(change, {**store.change(change).progress, "verified": 1})
    assert store.move(change, Status.REVERTING, now, from_any={Status.WATCHING})
    assert store.move(change, Status.REVERTED, now, from_any={Status.REVERTING})
    assert change in {one.change.id for one in store.ended_since(now - timedelta(minutes=1), 10)}


def test_runs_are_listed(store: RunStore) -> None:
    runs = {item["pk"].removeprefix("RUN#") for item in PLAIN if item["sk"] == "RUN" and item["pk"] != "LOCK"}
    assert {run["run_id"] for run in store.runs(datetime(2026, 1, 1, tzinfo=UTC), 100)} == runs
    assert runs


def test_an_open_request_is_answered(store: RunStore) -> None:
    approval = store.approval("asked")
    assert isinstance(approval, Approval)
    vote = Vote("anna", "Anna", tuple(approval.changes), "", approval.asked_at + timedelta(minutes=1))
    answered = approval.answer(vote, approval.digest)
    assert set(answered.approved) == set(approval.changes)
    assert store.replace_approval(approval, answered)


@pytest.mark.parametrize("key", [key for key in DOCUMENTS if key.endswith("policy.json")])
def test_a_policy_is_valid(key: str) -> None:
    document = DOCUMENTS[key]
    assert isinstance(Policy.from_document(document), Policy)
    assert read_policy(json.dumps(document)) == Policy.from_document(document)


@pytest.mark.parametrize("key", [key for key in DOCUMENTS if "/proposals/" in key])
def test_proposed_changes_are_read(key: str) -> None:
    for stored in DOCUMENTS[key]["changes"]:
        assert Change.from_document(stored).digest == stored["digest"]


@pytest.mark.parametrize("key", [key for key in DOCUMENTS if key.startswith("history/")])
def test_history_is_read(key: str) -> None:
    if key.startswith("history/indexes/"):
        assert Past.read(DOCUMENTS[key], "another run").snapshots
    elif key.startswith("history/capacity/"):
        assert FunctionHistory.from_document(DOCUMENTS[key]).sizes


def test_other_records_are_read(store: RunStore, dynamodb: Any) -> None:
    changes = [store.change(item["pk"].removeprefix("CHANGE#")) for item in CHANGES]
    (target,) = {
        one.change.target for one in changes if one.change.tuner is Tuner.MEMORY and one.message == "It got slower."
    }
    assert store.cool_downs([target], Tuner.MEMORY) == {target: NOW + timedelta(days=7)}
    assert store.taken_back(target, Tuner.MEMORY, NOW) == {"768": "It got slower."}
    assert store.lock_holder(NOW + timedelta(hours=1)) == "asked"
    assert PlansInPlace(dynamodb, "optimizer").elsewhere("another", NOW) == KeptWarm(2, 0.01)
    (ping,) = PingLog(dynamodb, "optimizer").between("warm", 29_678_940, 29_678_941)
    assert (ping.asked, ping.environments, ping.cold) == (2, 2, 1)
