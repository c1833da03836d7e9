"""Test in the local account which functions of a fleet get pings: in turn, in a freeze, and behind a queue."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.fleet import TargetFunction
from optimizer.core.change import Change, Risk, Status, StoredChange, Tuner
from optimizer.store.documents import Documents
from optimizer.store.run_store import RunStore

from tests.helpers.e2e.running import MEMORY_EVIDENCE, Running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# Pings of fewer functions than the fleet has; renewals take no place.
AT_ONCE = 2
POLICY: dict[str, Any] = {
    "version": 1,
    "mode": "auto",
    "warmups": {"usd_per_cold_start": 0.001},
    "run": {"max_changes": 100, "max_changes_share": 1.0},
}
PLANNED = {Status.APPLYING, Status.WATCHING, Status.KEPT}


class Fleet(Running):
    """Functions that answer pings, and the runs that plan for them."""

    def __init__(self, deployed: Any) -> None:
        super().__init__(deployed)
        self.store = RunStore(self.dynamodb, self.application.table)
        self.documents = Documents(self.s3, self.application.bucket)
        self.sqs: Any = deployed.account.session.client("sqs")

    @property
    def ready(self) -> list[TargetFunction]:
        return [one for one in self.fleet if one.alias and one.tags.get("optimizer:warmup") == "ready"]

    def run(self, name: str, tuners: list[str], **limits: Any) -> list[StoredChange]:
        """Run the application under the policy with other limits; return its changes once they were made."""
        self.store_policy({**POLICY, "run": {**POLICY["run"], **limits}})
        ended = self.optimize(name, {"tuners": tuners})
        assert ended.status == "SUCCEEDED", ended.cause
        for change in self.store.changes_of(ended.name):
            if change.status is Status.APPROVED:
                self.until(self.changes_of(ended.name), "ObserveWait")
        return list(self.store.changes_of(ended.name))

    def forget_pings(self) -> None:
        """Delete the schedules, as if they had fired."""
        for name in self.schedules():
            self.scheduler.delete_schedule(Name=name, GroupName=self.application.schedule_group)


@pytest.fixture(scope="module")
def fleet(deployed: Any) -> Iterator[Fleet]:
    fleet = Fleet(deployed)
    fleet.settle()
    fleet.forget_pings()
    yield fleet
    fleet.forget_policy()


@pytest.fixture(scope="module")
def turns(fleet: Fleet) -> list[list[StoredChange]]:
    """Return the changes of runs that may give pings to AT_ONCE more functions each, until a run refuses none."""
    runs: list[list[StoredChange]] = []
    while not runs or refused(runs[-1], "run.max_changes"):
        assert len(runs) < len(fleet.ready), "the same functions have their turn again and again"
        runs.append(fleet.run(f"turn-{len(runs)}", ["warmups"], max_changes=AT_ONCE))
    return runs


def planned(changes: list[StoredChange]) -> set[str]:
    return {one.change.target for one in changes if one.status in PLANNED and one.change.after["pings"]}


def refused(changes: list[StoredChange], rule: str) -> set[str]:
    return {one.change.target for one in changes if (one.status, one.rule) == (Status.REFUSED, rule)}


def test_every_function_has_its_turn_under_a_limit(turns: list[list[StoredChange]]) -> None:
    """A plan that is renewed takes no place of the next run."""
    proposed = {one.change.target for one in turns[0]}
    assert len(proposed) > 2 * AT_ONCE
    seen: set[str] = set()
    for run in turns:
        new = planned(run) - seen
        assert len(new) <= AT_ONCE
        assert seen <= planned(run), "a function lost its pings because another had its turn"
        seen |= new
    assert seen == proposed


def test_best_for_a_dollar_comes_first(turns: list[list[StoredChange]]) -> None:
    def worth(one: StoredChange) -> float:
        usd, cold_starts = one.change.effect.usd_month, one.change.effect.cold_starts_month
        assert usd
        assert cold_starts
        return -cold_starts.estimate / usd.estimate

    best = sorted(turns[0], key=worth, reverse=True)
    assert planned(turns[0]) == {one.change.target for one in best[:AT_ONCE]}


def test_a_freeze_stops_changes_and_not_pings(fleet: Fleet) -> None:
    today = datetime.now(UTC).date()
    freeze = {"first": str(today), "last": str(today + timedelta(days=1)), "reason": "Black Friday"}
    assert planned(fleet.run("frozen", ["warmups"], freezes=[freeze]))
    # It was approved before the freeze.
    target = fleet.ready[0]
    change = Change(
        run_id="frozen",
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=str(fleet.lambda_.get_function_configuration(FunctionName=target.name)["FunctionArn"]),
        before={"memory_mb": target.memory_mb, "version": "1"},
        after={"memory_mb": target.memory_mb // 2},
        reason="to see what becomes of it",
        undo={"memory_mb": target.memory_mb, "version": "1"},
        risk=Risk.LOW,
        evidence={"alias": target.alias, **MEMORY_EVIDENCE},
    )
    fleet.store.record_change(change, Status.APPROVED, datetime.now(UTC))
    asked = {"run_id": "frozen", "change_id": change.id, "tuner": "memory"}
    ended = fleet.ended(fleet.start(fleet.application.change_arn, change.id, asked))
    stored = fleet.store.change(change.id)
    assert (ended.status, stored.status) == ("SUCCEEDED", Status.REFUSED), stored
    assert f"frozen from {freeze['first']}" in stored.message, stored.message
    assert fleet.function(target)["memory_mb"]["$LATEST"] == target.memory_mb


def test_consumer_of_a_queue_gets_no_pings(fleet: Fleet, turns: list[list[StoredChange]]) -> None:
    """Nobody waits for its cold starts; the report says so."""
    arn = min(planned(turns[0]))
    name, alias = arn.rpartition(":")[2], next(one.alias for one in fleet.ready if arn.endswith(f":{one.name}"))
    queue = fleet.sqs.create_queue(QueueName="orders")["QueueUrl"]
    queue_arn = fleet.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = fleet.lambda_.create_event_source_mapping(FunctionName=f"{arn}:{alias}", EventSourceArn=queue_arn)
    try:
        made = fleet.run("queued", ["warmups"])
        text = fleet.documents.read_bytes("runs/queued/report.txt").decode()
    finally:
        fleet.lambda_.delete_event_source_mapping(UUID=mapping["UUID"])
        fleet.sqs.delete_queue(QueueUrl=queue)
    assert planned(made)
    assert arn not in planned(made)
    assert queue_arn in text, text
    assert name in text
