"""The handlers of change_warmups and warm_function on moto, with the shipped events."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from optimizer.core import Warmed
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.core.clock import minute_of
from optimizer.store.documents import Documents
from optimizer.store.pings import PingLog
from optimizer.store.ready_versions import ReadyVersions, VersionReadiness
from optimizer.store.run_store import RunStore
from optimizer.store.warmup_plans import KeptWarm, PlansInPlace
from optimizer.warmups.live_function import read_calls, read_target

from tests.helpers.own_account import ACCOUNT_ID, create_target, load_handler, own_account, sample_event

CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 290_000)
NOW = datetime.now(UTC)


@pytest.fixture
def arn(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Create the application's resources and a function; return its ARN."""
    variables = {
        "SCHEDULE_GROUP": "warmups",
        "SCHEDULE_ROLE_ARN": f"arn:aws:iam::{ACCOUNT_ID}:role/schedules",
        "WARM_FUNCTION_ARN": f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:warm_function",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"OPTIMIZER_{name}", value)
    with own_account(monkeypatch):
        boto3.client("scheduler").create_schedule_group(Name="warmups")
        target = create_target("orders", **{"optimizer:warmup": "ready"})
        # moto knows no settings of the account, and calls no function.
        boto3.client("lambda").put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=50)
        known = VersionReadiness("1", is_ready=True, why="it answered a ping", at=NOW)
        ReadyVersions(boto3.client("dynamodb"), "optimizer").record("orders", known)
        yield target


def approved(target: str, **after: Any) -> Change:
    change = Change(
        run_id=sample_event("change_warmups")["run_id"],
        tuner=Tuner.WARMUPS,
        action="schedule_warmups",
        target=target,
        before={"schedules": 0, "plans": []},
        after={
            "pings": 4,
            "most_environments": 2,
            "usd_day": 0.001,
            "alias": "live",
            "timezone": "UTC",
            "hold_ms": 200,
            "hours": 24,
            # Not half an hour after these tests were collected: then it may be over.
            "from": (datetime.now(UTC) + timedelta(minutes=30)).isoformat(),
            "schedule": [[0, 5, 2, 2]],
            **after,
        },
        reason="because",
        undo={"action": "delete_schedules", "schedules": 2},
        risk=Risk.LOW,
        evidence={"cold_starts_avoided": 2.0},
    )
    Documents(boto3.client("s3"), "optimizer").write(f"runs/{change.run_id}/policy.json", {"version": 1})
    RunStore(boto3.client("dynamodb"), "optimizer").record_change(change, Status.APPROVED, NOW)
    return change


def names() -> list[str]:
    return [s["Name"] for s in boto3.client("scheduler").list_schedules(GroupName="warmups")["Schedules"]]


def test_state_machine_events_apply_observe_and_roll_back(arn: str) -> None:
    change, app = approved(arn), load_handler("change_warmups")
    event = sample_event("change_warmups") | {"change_id": change.id}
    assert app.handler(event, CONTEXT)["outcome"] == "applied"
    assert len(names()) == 2
    assert app.handler(event | {"step": "verify"}, CONTEXT)["outcome"] == "watch"
    assert app.handler(event | {"step": "revert"}, CONTEXT)["outcome"] == "reverted"
    assert names() == []


@pytest.mark.parametrize(
    ("after", "rule"), [({"most_environments": 11}, "warmups.per_function"), ({"usd_day": 2.0}, "warmups.usd_day")]
)
def test_the_policy_is_applied_again_where_it_acts(arn: str, after: dict[str, Any], rule: str) -> None:
    change = approved(arn, **after)
    answer = load_handler("change_warmups").handler(sample_event("change_warmups") | {"change_id": change.id}, CONTEXT)
    assert (answer["outcome"], answer["rule"]) == ("refused", rule)
    assert names() == []


def test_the_live_state_tells_the_alias_and_the_tag(arn: str) -> None:
    lambda_: Any = boto3.client("lambda")
    there = read_target(lambda_, "orders", "live", "optimizer:warmup")
    assert (there.has_alias, there.ready) == (True, True)
    assert not read_target(lambda_, "orders", "blue", "optimizer:warmup").has_alias
    lambda_.untag_resource(Resource=arn, TagKeys=["optimizer:warmup"])
    assert not read_target(lambda_, "orders", "live", "optimizer:warmup").ready


def test_calls_are_summed_and_missing_data_is_not_zero(arn: str) -> None:
    assert arn
    cloudwatch: Any = boto3.client("cloudwatch")
    end = minute_of(NOW)
    assert read_calls(cloudwatch, "orders", "live", end - 5, end).invocations is None
    by_function = [{"Name": "FunctionName", "Value": "orders"}]
    by_alias = [*by_function, {"Name": "Resource", "Value": "orders:live"}]
    # A batch job calls $LATEST, and most of its calls fail.
    for dimensions, counts in ((by_function, (100.0, 90.0)), (by_alias, (7.0, 1.0))):
        for metric, value in zip(("Invocations", "Errors"), counts, strict=True):
            cloudwatch.put_metric_data(
                Namespace="AWS/Lambda",
                MetricData=[
                    {
                        "MetricName": metric,
                        "Dimensions": dimensions,
                        "Timestamp": NOW - timedelta(minutes=m),
                        "Value": value,
                    }
                    for m in (2, 3)
                ],
            )
    calls = read_calls(cloudwatch, "orders", "live", end - 5, end)
    assert (calls.invocations, calls.errors) == (14.0, 2.0)


@pytest.mark.parametrize(("failed", "outcome"), [(0, "warmed"), (1, "warmed"), (3, "failed")])
def test_what_a_ping_met_is_answered_and_recorded(
    arn: str, monkeypatch: pytest.MonkeyPatch, failed: int, outcome: str
) -> None:
    assert arn
    app, event = load_handler("warm_function"), sample_event("warm_function")
    warmed = Warmed(3, 3 - failed, 1, 3, failed, 2.0, 200.0, 1, 600.0, "why" if failed else "")
    monkeypatch.setattr(app, "warm_alias", lambda *_: warmed)
    answer = app.handler(event, None)
    assert (answer["outcome"], answer["environments"], answer["cold"]) == (outcome, 3 - failed, 1)
    now = minute_of(datetime.now(UTC))
    (ping,) = PingLog(boto3.client("dynamodb"), "optimizer").between("orders", now - 2, now + 1)
    assert (ping.change_id, ping.asked, ping.failed) == (event["change_id"], 3, failed)


def test_a_deploy_pings_the_version_that_it_put_behind_the_alias(arn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, event = load_handler("warm_function"), sample_event("warm_function")
    warmed = Warmed(3, 3, 3, 3, 0, 2.0, 200.0, 1, 600.0)
    asked: list[Any] = []
    monkeypatch.setattr(app, "warm_alias", lambda *arguments: asked.append(arguments[3]) or warmed)
    deployed = {"deployed": {"function": arn, "alias": event["alias"]}}
    assert app.handler(deployed, None) == {"outcome": "nothing_to_warm"}
    plans = PlansInPlace(boto3.client("dynamodb"), "optimizer")
    plans.record("orders", event["change_id"], KeptWarm(3, 0.01), datetime.now(UTC) + timedelta(hours=1))
    app.handler(event, None)
    assert app.handler(deployed, None)["outcome"] == "warmed"
    assert [(warmup.environments, warmup.after_deploy) for warmup in asked] == [(3, False), (3, True)]
    now = minute_of(datetime.now(UTC))
    pings = PingLog(boto3.client("dynamodb"), "optimizer").between("orders", now - 2, now + 1)
    assert sorted(ping.after_deploy for ping in pings) == [False, True]


def test_a_ping_without_room_calls_nothing_and_is_recorded(arn: str) -> None:
    assert arn
    boto3.client("lambda").put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    event = sample_event("warm_function")
    answer = load_handler("warm_function").handler(event, None)
    assert (answer["outcome"], answer["held_back"]) == ("held_back", "its reserved concurrency is 0")
    now = minute_of(datetime.now(UTC))
    (ping,) = PingLog(boto3.client("dynamodb"), "optimizer").between("orders", now - 2, now + 1)
    assert (ping.asked, ping.calls, ping.held_back) == (0, 0, "its reserved concurrency is 0")
