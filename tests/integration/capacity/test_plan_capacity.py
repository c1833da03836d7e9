"""Planning and changing capacity in the local account, with its logs, versions, aliases and metrics."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from local_account.account import REGION, LocalAccount
from local_account.fleet import FleetSource
from optimizer import guardrails
from optimizer.capacity.change import CapacityHooks
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.measure import Measure
from optimizer.capacity.observation_times import ObservationTimes
from optimizer.capacity.planner import CapacityPlanner
from optimizer.capacity.progress import CapacityProgress
from optimizer.core.change import Change, Status
from optimizer.core.replaced import Replaced
from optimizer.function_logs import ReportLog, UsedMemory
from optimizer.guardrails import memory
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Memory, Policy
from optimizer.store.documents import Documents
from optimizer.store.pings import PingLog
from optimizer.store.proposals import Proposals
from optimizer.store.replaced_sizes import ReplacedSizes
from optimizer.store.run_store import RunStore
from optimizer.traffic.analyze import analyze_batch

from tests.helpers.own_account import create_run_table
from tests.helpers.rates import PRICES

pytestmark = pytest.mark.slow

RUN, BUCKET, TABLE = "run-1", "planned", "planned"
POLICY = Policy(memory=Memory(max_slowdown=1.5, min_gain=0.01))


@dataclass(frozen=True, slots=True)
class World:
    local: LocalAccount
    documents: Documents
    store: RunStore
    planner: CapacityPlanner
    proposals: Proposals
    now: datetime
    replaced: ReplacedSizes

    def life(self) -> Lifecycle[CapacityProgress]:
        hooks = CapacityHooks(
            account=self.planner.account,
            policy=POLICY,
            recheck=lambda change, live, now: guardrails.recheck(
                change, memory.MemoryState(live.version.memory_mb), POLICY, now
            ),
            measure=Measure(self.local.session.client("cloudwatch")),
            used_memory=lambda *_: UsedMemory(None, ""),
            sleep=time.sleep,
            remaining_ms=lambda: 300_000.0,
            replaced=self.replaced,
        )
        return Lifecycle(self.store, hooks)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with LocalAccount(FleetSource(datetime.now(UTC), functions=12)) as local:
        client = local.session.client
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        create_run_table(client("dynamodb"), TABLE)
        documents, now = Documents(client("s3"), BUCKET), datetime.now(UTC)
        targets = []
        for function in client("lambda").list_functions(MaxItems=50)["Functions"]:
            tags = client("lambda").list_tags(Resource=function["FunctionArn"])["Tags"]
            if "optimizer" in tags:
                name, arn = function["FunctionName"], function["FunctionArn"]
                target = {"function_name": name, "function_arn": arn, "alias": "live", "timezone": "UTC", "tags": tags}
                targets.append(target)
        traffic = analyze_batch(client("cloudwatch"), documents, PingLog(client("dynamodb"), TABLE), targets, now)
        documents.write(f"runs/{RUN}/batches/0000.json", {"functions": targets})
        documents.write(f"runs/{RUN}/traffic/0000.json", traffic)
        planner = CapacityPlanner(
            documents,
            LambdaAccount(client("lambda"), client("application-autoscaling")),
            ReportLog(client("logs")),
            POLICY,
            RUN,
            now,
            PRICES,
        )
        yield World(
            local,
            documents,
            RunStore(client("dynamodb"), TABLE),
            planner,
            planner.plan("0000"),
            now,
            ReplacedSizes(client("dynamodb"), TABLE),
        )


def test_every_function_gets_a_proposal_or_a_reason(world: World) -> None:
    batch = world.documents.read(f"runs/{RUN}/batches/0000.json")["functions"]
    told = [change.target for change in world.proposals.changes]
    told += [unchanged.target for unchanged in world.proposals.no_changes]
    told += list(world.proposals.failed)
    assert {target["function_arn"] for target in batch} == set(told)
    assert all(unchanged.reason for unchanged in world.proposals.no_changes)


def test_sizes_are_proposed_from_report_lines(world: World) -> None:
    sizes = [change for change in world.proposals.changes if change.action == "set_memory"]
    assert sizes, [u.reason for u in world.proposals.no_changes if u.tuner == "memory"]
    for change in sizes:
        assert change.evidence["log_scan"]["lines"] > 0
        assert change.evidence["log_scan"]["malformed"] == 0
        assert change.after["memory_mb"] >= POLICY.memory.headroom * change.evidence["max_memory_used_mb"]


def test_second_plan_learns_nothing_twice(world: World) -> None:
    again = world.planner.plan("0000")
    assert [_key(c) for c in again.changes] == [_key(c) for c in world.proposals.changes]
    for first, second in zip(world.proposals.changes, again.changes, strict=True):
        assert first.evidence.get("samples") == second.evidence.get("samples")


def test_size_that_was_replaced_and_is_set_again_is_owned_elsewhere(world: World) -> None:
    """Only by the record of the kept change that the store has."""
    change = next(change for change in world.proposals.changes if change.action == "set_memory")
    earlier = replace(change, before={**change.before, "version": "0"})
    replaced = {change.target: Replaced(earlier, frozenset({str(change.before["memory_mb"])}), world.now, "")}
    again = replace(world.planner, replaced=lambda _targets: replaced).plan("0000")
    owners = {one.target: one.evidence.get("owner") for one in again.changes if one.action == "set_memory"}
    assert {target for target, owner in owners.items() if owner == "owner.elsewhere"} == {change.target}


def test_memory_change_runs_through_the_account(world: World) -> None:
    change = next(change for change in world.proposals.changes if change.evidence.get("canary_weight"))
    world.store.record_change(change, Status.APPROVED, world.now)
    applied = world.life().apply(change.id, world.now)
    assert applied["outcome"] == "applied", applied
    name = change.target.rpartition(":")[2]
    live = world.planner.account.read(name, "live")
    assert list(live.weights.values()) == [change.evidence["canary_weight"]]
    assert live.latest.memory_mb == change.before["memory_mb"]
    # Whoever is called seldom is looked at more often than the policy names, with glances between the looks.
    numbers = range(1, 20 * ObservationTimes.of(POLICY.memory, world.now).looks)
    outcomes = (world.life().verify(change.id, world.now, number)["outcome"] for number in numbers)
    assert next((outcome for outcome in outcomes if outcome != "watch"), None) in ("keep", "revert")
    world.life().keep(change.id, world.now)
    after = world.planner.account.read(name, "live")
    assert after.version.memory_mb == after.latest.memory_mb == change.after["memory_mb"]
    assert not after.weights
    assert set(replaced_of(world, change.target)) == {str(change.before["memory_mb"])}
    assert world.life().revert(change.id, world.now)["outcome"] == "reverted"
    back = world.planner.account.read(name, "live")
    assert back.version.memory_mb == back.latest.memory_mb == change.before["memory_mb"]
    assert not replaced_of(world, change.target)


def replaced_of(world: World, target: str) -> frozenset[str]:
    found = world.replaced.of([target], world.now).get(target)
    return found.values if found else frozenset()


def _key(change: Change) -> tuple[str, Any]:
    return change.id, change.after
