"""The handlers of change_warmups and warm_function on moto, with the events that are shipped."""

import importlib.util
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from optimizer import aws
from optimizer.changes import Change, Risk, Status, Tuner
from optimizer.documents import Documents
from optimizer.runs import RunStore
from optimizer.traffic.minutes import minute_of
from optimizer.warmups.live import read_calls, read_target
from optimizer.warmups.ping_log import PingLog
from optimizer.warmups.warm import Warmed

ROOT = Path(__file__).parents[2]
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 290_000)
NOW = datetime.now(UTC)


def event_of(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


def handler_of(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_app", ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def arn(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application's resources and one target; its ARN."""
    variables = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "OPTIMIZER_TABLE": "optimizer",
        "OPTIMIZER_BUCKET": "optimizer",
        "OPTIMIZER_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:optimizer",
        "OPTIMIZER_POLICY_KEY": "policy/policy.json",
        "OPTIMIZER_SCHEDULE_GROUP": "warmups",
        "OPTIMIZER_SCHEDULE_ROLE_ARN": "arn:aws:iam::123456789012:role/schedules",
        "OPTIMIZER_WARM_FUNCTION_ARN": "arn:aws:lambda:us-east-1:123456789012:function:warm_function",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    aws.client.cache_clear()
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="optimizer")
        boto3.client("dynamodb").create_table(
            TableName="optimizer",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        boto3.client("scheduler").create_schedule_group(Name="warmups")
        role = boto3.client("iam").create_role(RoleName="target", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "def handler(event, context): return None")
        lambda_: Any = boto3.client("lambda")
        lambda_.create_function(
            FunctionName="orders",
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Publish=True,
            Tags={"optimizer": "on", "optimizer:warmup": "ready"},
        )
        lambda_.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
        yield "arn:aws:lambda:us-east-1:123456789012:function:orders"
    aws.client.cache_clear()


def approved(target: str, **after: Any) -> Change:
    change = Change(
        run_id=event_of("change_warmups")["run_id"],
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
            "from": (NOW + timedelta(minutes=30)).isoformat(),
            "schedule": [[0, 2], [5, 2]],
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


def test_a_change_is_applied_watched_and_reverted_by_the_events_of_its_state_machine(arn: str) -> None:
    change, app = approved(arn), handler_of("change_warmups")
    event = event_of("change_warmups") | {"change_id": change.id}
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
    answer = handler_of("change_warmups").handler(event_of("change_warmups") | {"change_id": change.id}, CONTEXT)
    assert (answer["outcome"], answer["rule"]) == ("refused", rule)
    assert names() == []


def test_the_live_state_tells_the_alias_and_the_tag(arn: str) -> None:
    lambda_: Any = boto3.client("lambda")
    there = read_target(lambda_, "orders", "live", "optimizer:warmup")
    assert (there.has_alias, there.ready) == (True, True)
    assert not read_target(lambda_, "orders", "blue", "optimizer:warmup").has_alias
    lambda_.untag_resource(Resource=arn, TagKeys=["optimizer:warmup"])
    assert not read_target(lambda_, "orders", "live", "optimizer:warmup").ready


def test_calls_and_errors_of_a_window_are_summed_and_no_data_is_not_zero(arn: str) -> None:
    assert arn
    cloudwatch: Any = boto3.client("cloudwatch")
    end = minute_of(NOW)
    assert read_calls(cloudwatch, "orders", end - 5, end).invocations is None
    for metric, value in (("Invocations", 7.0), ("Errors", 1.0)):
        cloudwatch.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": "FunctionName", "Value": "orders"}],
                    "Timestamp": NOW - timedelta(minutes=m),
                    "Value": value,
                }
                for m in (2, 3)
            ],
        )
    calls = read_calls(cloudwatch, "orders", end - 5, end)
    assert (calls.invocations, calls.errors) == (14.0, 2.0)


@pytest.mark.parametrize(("failed", "outcome"), [(0, "warmed"), (1, "warmed"), (3, "failed")])
def test_what_a_ping_met_is_answered_and_recorded(
    arn: str, monkeypatch: pytest.MonkeyPatch, failed: int, outcome: str
) -> None:
    assert arn
    app, event = handler_of("warm_function"), event_of("warm_function")
    warmed = Warmed(3, 3 - failed, 1, 3, failed, 2.0, 200.0, 1, 600.0, "why" if failed else "")
    monkeypatch.setattr(app, "warm", lambda _client, _warmup: warmed)
    answer = app.handler(event, None)
    assert (answer["outcome"], answer["environments"], answer["cold"]) == (outcome, 3 - failed, 1)
    now = minute_of(datetime.now(UTC))
    (ping,) = PingLog(boto3.client("dynamodb"), "optimizer").between("orders", now - 2, now + 1)
    assert (ping.change_id, ping.asked, ping.failed) == (event["change_id"], 3, failed)
