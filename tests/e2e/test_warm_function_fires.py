"""Test that the schedules of a plan really fire in the local account, and warm as many environments as planned."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.targets import create_targets
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.core.clock import minute_of
from optimizer.core.ping import Ping
from optimizer.store.documents import Documents
from optimizer.store.pings import PingLog
from optimizer.store.run_store import RunStore
from optimizer.warmups.schedule_batches import pings_of

pytestmark = pytest.mark.e2e
RUN = "run-warmups-fire"


def plan_for(function_arn: str, rise: datetime, environments: int) -> Change:
    """Return pings in the two minutes before a rise, as a planner gives them."""
    return Change(
        run_id=RUN,
        tuner=Tuner.WARMUPS,
        action="schedule_warmups",
        target=function_arn,
        before={"schedules": 0, "plans": []},
        after={
            "pings": 2 * environments,
            "most_environments": environments,
            "usd_day": 0.0001,
            "alias": "live",
            "timezone": "Europe/Berlin",
            "hold_ms": 200,
            "hours": 1,
            "from": (rise - timedelta(minutes=2)).isoformat(),
            "schedule": [[0, 1, 2, environments]],
        },
        reason="a rise is expected",
        undo={"action": "delete_schedules", "schedules": 2},
        risk=Risk.LOW,
        evidence={"cold_starts_avoided": 3.0, "errors_share": 0.01},
    )


def test_distinct_environments_are_warm_before_predicted_rise(deployed: Any) -> None:
    """Three pings at a time reach three different environments before the predicted rise."""
    session, application = deployed.account.session, deployed.application
    ready = next(f for f in deployed.account.fleet if f.alias and f.tags.get("optimizer:warmup") == "ready")
    # A function of its own: no other test has warmed it or has pings in place for it.
    target = replace(ready, name="rising")
    create_targets(session, [target], datetime.now(UTC))
    lambda_ = session.client("lambda")
    arn = lambda_.get_function_configuration(FunctionName=target.name)["FunctionArn"]
    store = RunStore(session.client("dynamodb"), application.table)
    now = datetime.now(UTC)
    # To apply the plan asks the version if it answers pings, which takes a cold start.
    rise = now.replace(second=0, microsecond=0) + timedelta(minutes=4)
    change = plan_for(arn, rise, 3)
    Documents(session.client("s3"), application.bucket).write(f"runs/{RUN}/policy.json", {"version": 1})
    store.record_change(change, Status.APPROVED, now)

    applied = step(lambda_, "apply", change)
    assert applied["outcome"] == "applied", applied
    scheduler = session.client("scheduler")
    names = [
        s["Name"]
        for s in scheduler.list_schedules(GroupName=application.schedule_group, NamePrefix="rising")["Schedules"]
    ]
    assert len(names) == 2

    pings = pings_by(rise, PingLog(session.client("dynamodb"), application.table), target.name, change)
    assert [ping.minute for ping in pings] == [minute for minute, _ in pings_of(change)]
    assert [ping.environments for ping in pings] == [3, 3], pings
    # The version was asked if it answers pings, which started one of them.
    assert pings[0].cold == 2
    assert pings[1].cold == 0
    assert max(ping.at_minute for ping in pings) < minute_of(rise)
    assert scheduler.list_schedules(GroupName=application.schedule_group, NamePrefix="rising")["Schedules"] == []
    assert step(lambda_, "verify", change)["outcome"] == "watch"


def step(lambda_: Any, name: str, change: Change) -> dict[str, Any]:
    function = next(
        f["FunctionName"]
        for page in lambda_.get_paginator("list_functions").paginate()
        for f in page["Functions"]
        if f["FunctionName"].endswith("change_warmups")
    )
    event = {"step": name, "run_id": RUN, "change_id": change.id}
    response = lambda_.invoke(FunctionName=function, Payload=json.dumps(event))
    answer: dict[str, Any] = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, answer
    return answer


def pings_by(rise: datetime, log: PingLog, function_name: str, change: Change) -> list[Ping]:
    first, end = minute_of(datetime.fromisoformat(change.after["from"])), minute_of(rise)
    while True:
        pings = sorted(log.between(function_name, first, end), key=lambda ping: ping.minute)
        if len(pings) == 2 or datetime.now(UTC) > rise + timedelta(seconds=20):
            return pings
        time.sleep(1)
