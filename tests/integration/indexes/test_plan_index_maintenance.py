"""Proposals of a run for the demo database with its known faults, and the result of applying them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from local_account.databases import NAME, TeamDatabase
from local_account.memory_run_store import MemoryRunStore
from local_account.servers import postgresql
from optimizer import guardrails
from optimizer.core.change import Change, Status, Tuner
from optimizer.guardrails import calendar
from optimizer.guardrails.run import Account
from optimizer.indexes.change import server_for
from optimizer.indexes.change.change import IndexHooks
from optimizer.indexes.change.server import Machine
from optimizer.indexes.connect.drivers import DatabaseUnreachable
from optimizer.indexes.connect.pool import Connections
from optimizer.indexes.planner import Planner
from optimizer.indexes.read_nodes import read_nodes
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Policy
from optimizer.store.proposals import Proposals

from tests.helpers.memory_bucket import MemoryBucket

NOW = datetime.now(UTC)


class Secrets:
    """A substitute for Secrets Manager."""

    def create_secret(self, **secret: Any) -> None:
        self.secret = secret

    def describe_secret(self, **_: str) -> dict[str, str]:
        return {"ARN": "arn"}

    def get_secret_value(self, **_: str) -> Any:
        return self.secret


class Team:
    """The database, with the parts of the account that a run needs."""

    def __init__(self, database: TeamDatabase, secrets: Secrets) -> None:
        self.running, self.bucket, self.store = database, MemoryBucket(), MemoryRunStore()
        self.policy = Policy.from_document({"version": 1, "mode": "auto", "indexes": database.policy(ask=True)})
        self.database = self.policy.indexes.databases[0]
        self.pool = Connections(lambda: secrets, lambda: None, str)
        self.records = SimpleNamespace(
            take_turn=lambda *_: True,
            end_turn=lambda *_: None,
            record_build=lambda *_: None,
            began=lambda *_: False,
        )

    def plan(self, run_id: str = "run-1", **changed: Any) -> Proposals:
        database = replace(self.database, **changed)
        planner = Planner(
            store=self.store,
            records=self.records,
            documents=self.bucket,
            server=server_for(database, self.pool),
            database=database,
            read=lambda: read_nodes(database, self.pool),
            limits=self.policy.indexes,
        )
        return planner.plan(run_id, NOW)

    def carry_out(self, change: Change) -> dict[str, Any]:
        policy = self.policy
        self.store.record_change(change, Status.APPROVED, NOW)
        hooks = IndexHooks(
            store=self.store,
            records=self.records,
            server=server_for(self.database, self.pool),
            database=self.database,
            limits=policy.indexes,
            recheck=lambda one, live, now: guardrails.recheck(one, live, policy, now),
            may_start=lambda now: calendar.closed(policy, now, Tuner.INDEXES),
            machine=lambda _now: Machine(),
            remaining_ms=lambda: 300_000.0,
        )
        life = Lifecycle(self.store, hooks)
        step = "apply"
        while True:
            answer: dict[str, Any] = getattr(life, step)(change.id, NOW)
            if answer["outcome"] == "pending" and step == "apply":
                step = "poll"
            elif answer["outcome"] in ("applied", "watch"):
                step = "verify"
            elif answer["outcome"] == "keep":
                step = "keep"
            elif answer["outcome"] != "pending" or step == "keep":
                return answer


@pytest.fixture(scope="module")
def team(server: Any) -> Iterator[Team]:
    server(postgresql.WHEEL_16)
    secrets = Secrets()
    cloudwatch = SimpleNamespace(put_metric_data=lambda **_: None)
    services = {"secretsmanager": secrets, "cloudwatch": cloudwatch}
    account: Any = SimpleNamespace(session=SimpleNamespace(client=services.__getitem__))
    with TeamDatabase(account) as database:
        yield Team(database, secrets)


def test_plan_finds_exactly_the_known_faults(team: Team) -> None:
    proposed = team.plan()
    assert {(change.action, change.target) for change in proposed.changes} == {
        ("rebuild", f"{NAME}/public.event.event_at_idx"),
        ("drop_index", f"{NAME}/public.product.product_shelf_again_idx"),
        ("drop_leftover", f"{NAME}/public.visit.visit_page_idx_ccnew"),
        ("create_index", f"{NAME}/public.orders.orders_customer_id_idx"),
        ("analyze", f"{NAME}/public.customer"),
    }
    verdicts = guardrails.check(proposed.changes, team.policy, Account(targets=0), NOW)
    by_action = dict(zip((change.action for change in proposed.changes), verdicts, strict=True))
    assert {action: verdict.verdict.value for action, verdict in by_action.items()} == {
        "rebuild": "automatic",
        "drop_index": "ask",
        "drop_leftover": "automatic",
        "create_index": "ask",
        "analyze": "automatic",
    }


def test_planning_a_run_twice_gives_the_same_result(team: Team) -> None:
    first = team.plan("run-2")
    remembered = json.loads(team.bucket[f"history/indexes/{NAME}.json"])
    assert [change.id for change in team.plan("run-2").changes] == [change.id for change in first.changes]
    again = json.loads(team.bucket[f"history/indexes/{NAME}.json"])
    assert len(again["bloat"]) == len(remembered["bloat"])
    written = json.loads(team.bucket[f"runs/run-2/proposals/indexes-{NAME}.json"])
    assert [change["id"] for change in written["changes"]]


def test_unreachable_replica_fails_the_plan(team: Team) -> None:
    with pytest.raises(DatabaseUnreachable):
        team.plan("run-3", readers=("127.0.0.1:1",))


def test_applied_changes_repair_the_faults(team: Team) -> None:
    before = team.running.indexes()
    for change in team.plan("run-4").changes:
        if change.action != "drop_index":
            answer = team.carry_out(change)
            assert answer["outcome"] == "kept", (change.action, answer)
    after = team.running.indexes()
    assert after["event_at_idx"] < 0.3 * before["event_at_idx"]
    assert "visit_page_idx_ccnew" in before
    assert "visit_page_idx_ccnew" not in after
    assert after["orders_customer_id_idx"] > 0
    assert {change.action for change in team.plan("run-5").changes} <= {"drop_index"}
