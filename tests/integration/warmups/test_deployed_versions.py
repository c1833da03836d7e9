"""A version that a deploy puts behind an alias is warmed as its plan wants it now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from optimizer.core import InvalidWarmup, Warmed, Warmup, minute_of
from optimizer.store import KeptWarm, PingLog, PlansInPlace
from optimizer.warmups import DeployedAlias, warmup_after_deploy

from tests.helpers.own_account import TABLE

NOW = datetime(2026, 11, 2, 9, 0, 30, tzinfo=UTC)
LIVE = DeployedAlias("orders", "live")
MET = Warmed(3, 3, 1, 3, 0, 0.0, 200.0, 1, 600.0)


class World:
    """The log of pings and the plans in place."""

    def __init__(self, dynamodb: Any) -> None:
        self.log, self.in_place = PingLog(dynamodb, TABLE), PlansInPlace(dynamodb, TABLE)
        self.in_place.record("orders", "warmups-1", KeptWarm(5, 0.01), NOW + timedelta(hours=20))

    def ping(self, minutes_ago: int, environments: int, alias: str = "live", *, after_deploy: bool = False) -> Warmup:
        at = NOW - timedelta(minutes=minutes_ago)
        ping = Warmup("orders", alias, environments, 150, "run-1", "warmups-1", minute_of(at), 2, 40, after_deploy)
        self.log.record(ping, MET, at)
        return ping

    def wanted(self, deployed: DeployedAlias = LIVE) -> Warmup | None:
        return warmup_after_deploy(deployed, self.log, self.in_place, NOW)


@pytest.fixture
def world(dynamodb: Any) -> World:
    return World(dynamodb)


def test_the_new_version_gets_what_the_last_ping_of_the_plan_had(world: World) -> None:
    world.ping(9, 5)
    world.ping(4, 3)
    world.ping(2, 9, "blue")
    world.ping(1, 7, after_deploy=True)
    assert world.wanted() == Warmup("orders", "live", 3, 150, "run-1", "warmups-1", minute_of(NOW), 2, 40, True)


def test_nothing_is_warmed_where_no_plan_keeps_the_alias_warm(world: World) -> None:
    assert world.wanted() is None
    world.ping(11, 3)
    assert world.wanted() is None
    world.ping(5, 3, "blue")
    assert world.wanted() is None
    world.ping(5, 3)
    assert world.wanted() is not None
    assert world.wanted(DeployedAlias("orders-archive", "live")) is None
    world.in_place.end("orders", "warmups-1", NOW)
    assert world.wanted() is None


def test_a_ping_after_a_deploy_stands_beside_that_of_the_same_minute(world: World) -> None:
    world.ping(0, 3)
    world.ping(0, 3, after_deploy=True)
    now = minute_of(NOW)
    assert [ping.after_deploy for ping in world.log.between("orders", now, now + 1)] == [False, True]


@pytest.mark.parametrize(
    "name", ["orders", "123456789012:function:orders", "arn:aws:lambda:eu-west-1:1:function:orders"]
)
def test_functions_are_named_as_callers_of_lambda_name_them(name: str) -> None:
    assert DeployedAlias.from_event({"deployed": {"function": name, "alias": "live"}}) == LIVE


@pytest.mark.parametrize(
    ("deployed", "field"),
    [("orders", "function"), ({"function": "", "alias": "live"}, "function"), ({"function": "orders"}, "alias")],
)
def test_other_events_are_refused_with_their_place(deployed: Any, field: str) -> None:
    with pytest.raises(InvalidWarmup, match=rf"^deployed\.{field} must be a text"):
        DeployedAlias.from_event({"deployed": deployed})
