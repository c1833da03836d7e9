"""Test in the local account that one policy gives three teams three goals, by tag and by name."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from local_account.callers import Callers
from local_account.curves import formula
from local_account.targets import create_targets

from tests.helpers.e2e.running import Running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MAIL, CHECKOUT, BILLING = "team-mail-outbox", "team-basket-prices", "billing-nightly"
TEAMS = {MAIL: "mail", CHECKOUT: "checkout", BILLING: "finance"}
POLICY = {
    "version": 1,
    "memory": {"max_slowdown": 4.0},
    "overrides": [
        {"name": "mail", "tags": {"team": "mail"}, "mode": "approve", "memory": {"goal": "cost"}},
        {"name": "checkout", "tags": {"team": "checkout"}, "memory": {"goal": "balanced"}},
        {"functions": ["billing-*"], "memory": {"floor_mb": 1024}},
    ],
    "run": {"max_changes": 100, "max_changes_share": 1.0},
}
_START_MB = 1024


@pytest.fixture(scope="module")
def teams(deployed: Any) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Provide what a run decides about the same function of three teams, by name, with the text of its report."""
    running = Running(deployed)
    running.settle()
    like = next(one for one in deployed.account.fleet if one.alias and not one.scaled)
    behaviour = replace(like.behaviour, curve=formula("half", 0.5), used_memory_mb=90, error_rate=0.0)
    functions = [
        replace(like, name=name, memory_mb=_START_MB, behaviour=behaviour, tags={"optimizer": "on", "team": team})
        for name, team in TEAMS.items()
    ]
    create_targets(deployed.account.session, functions, datetime.now(UTC))
    deployed.account.describe_callers([Callers(name, "live", 60, 100.0, 1) for name in TEAMS])
    running.store_policy(POLICY)
    run = running.optimize("three-teams", {"functions": sorted(TEAMS), "tuners": ["memory"], "only_automatic": False})
    assert run.status == "SUCCEEDED", run.cause
    plan = running.document(f"runs/{run.name}/plan.json")
    decided = {_name(item["change"]): {**item["change"], **item} for item in plan["proposals"]}
    yield {**{_name(one): one for one in plan["no_changes"]}, **decided}
    for arn in running.executions(running.application.approve_arn, statusFilter="RUNNING"):
        running.sfn.stop_execution(executionArn=arn)
    for name in TEAMS:
        running.lambda_.delete_function(FunctionName=name)
    deployed.account.describe_callers(())
    running.forget_policy()


def _name(document: Mapping[str, Any]) -> str:
    return str(document["target"]).rpartition(":")[2]


def test_each_team_gets_a_size_by_its_own_goal(teams: Mapping[str, Mapping[str, Any]]) -> None:
    """The same function is cheapest when smaller, best for price times duration when larger, and held by a floor."""
    assert teams[MAIL]["after"]["memory_mb"] < _START_MB
    assert teams[CHECKOUT]["after"]["memory_mb"] > _START_MB
    assert teams[BILLING].get("after", {"memory_mb": _START_MB})["memory_mb"] >= _START_MB


def test_each_team_has_its_own_mode(teams: Mapping[str, Mapping[str, Any]]) -> None:
    assert teams[MAIL]["verdict"] == "ask"
    assert teams[CHECKOUT]["verdict"] == "recommended"


def test_each_decision_says_which_entry_held(teams: Mapping[str, Mapping[str, Any]]) -> None:
    assert "By overrides[0] (mail): memory.goal, memory.mode." in teams[MAIL]["reason"]
    assert "By overrides[1] (checkout): memory.goal." in teams[CHECKOUT]["reason"]
    assert "By overrides[2]: memory.floor_mb." in teams[BILLING]["reason"]
    assert teams[MAIL]["evidence"]["tags"] == {"team": "mail"}
    assert teams[BILLING]["evidence"]["overrides"] == {"floor_mb": "overrides[2]"}
