"""Every call to AWS of every Lambda of a run goes wrong once, in every way; the step is run again, as the state machine
or a redrive does. In the end all is as if nothing had happened."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from faulty_aws import Fault, FaultyAws, Killed
from moto import mock_aws
from optimizer import aws
from own_account import create_inbox, create_run_table, load_handler

NOW = datetime(2026, 11, 20, 6, 17, 30, tzinfo=UTC)
REGION, BUCKET, TABLE = "eu-west-1", "optimizer", "optimizer"
RUN = "run-1"
FUNCTIONS = ("orders",)
BATCH = {"run_id": RUN, "batch": "0000"}
STEPS: dict[str, dict[str, Any]] = {
    "start_run": {"run_id": RUN, "execution_arn": "arn:aws:states:x", "request": {}},
    "analyze_traffic": BATCH,
    "plan_warmups": BATCH,
    "plan_capacity": BATCH,
    "check_guardrails": {"run_id": RUN},
    "publish_results": {"step": "run", "run_id": RUN, "failed_batches": []},
}
POLICY = {
    "version": 1,
    "mode": "auto",
    "memory": {"max_slowdown": 2.0, "min_invocations": 20},
    "run": {"max_changes_share": 1.0},
}
# What says when and under which number, and not what.
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)?|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}")


@cache
def client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


class Stopped(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return NOW.astimezone(tz)


def metric_data(request: dict[str, Any]) -> dict[str, Any]:
    """Calls by day, none by night."""
    results = []
    for query in request["MetricDataQueries"]:
        stat = query["MetricStat"]
        step = timedelta(seconds=stat["Period"])
        first = request["StartTime"]
        times = [first + n * step for n in range(int((request["EndTime"] - first) / step))]
        times = [at for at in times if 8 <= at.hour < 18]
        value = {"Invocations": 30.0 * stat["Period"] / 60, "Duration": 80.0, "ConcurrentExecutions": 2.0}
        results.append(
            {
                "Id": query["Id"],
                "Timestamps": times,
                "Values": [value.get(stat["Metric"]["MetricName"], 0.0)] * len(times),
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results}


def log_groups(request: dict[str, Any]) -> dict[str, Any]:
    created = int((NOW - timedelta(days=30)).timestamp() * 1000)
    return {
        "logGroups": [{"logGroupName": request["logGroupNamePrefix"], "storedBytes": 10**7, "creationTime": created}]
    }


def report_rows(_request: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for n in range(300):
        ms = 70 + n % 20
        message = (
            f"REPORT RequestId: {n}\tDuration: {ms}.00 ms\tBilled Duration: {ms} ms\t"
            "Memory Size: 1024 MB\tMax Memory Used: 90 MB\t"
        )
        at = (NOW - timedelta(minutes=n)).strftime("%Y-%m-%d %H:%M:%S.000")
        fields = {"@timestamp": at, "@logStream": "2026/11/20/[1]a", "@message": message}
        rows.append([{"field": name, "value": value} for name, value in fields.items()])
    return {"status": "Complete", "results": rows, "statistics": {"bytesScanned": 1e6}}


def none_provisioned(_request: dict[str, Any]) -> Any:
    raise ClientError({"Error": {"Code": "ProvisionedConcurrencyConfigNotFoundException"}}, "GetProvisioned")


ANSWERS = {
    "GetMetricData": metric_data,
    "DescribeLogGroups": log_groups,
    "StartQuery": lambda _request: {"queryId": "q"},
    "GetQueryResults": report_rows,
    "GetProvisionedConcurrencyConfig": none_provisioned,
    "DescribeScalableTargets": lambda _request: {"ScalableTargets": []},
    "GetAccountSettings": lambda _request: {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}},
    "PutEvents": lambda _request: {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]},
}


@dataclass
class Account:
    """A function, and the application's own table, bucket and topic."""

    calls: FaultyAws
    handlers: dict[str, ModuleType]
    queue: str

    def run(self, step: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.handlers[step].handler(dict(STEPS[step]), None)
        return answer

    def run_until_done(self, step: str) -> dict[str, Any]:
        """As the machine does: a step that failed is tried again."""
        with suppress(ClientError, BotoCoreError, RuntimeError, Killed):
            self.run(step)
        # It may also be delivered twice.
        return self.run(step)

    def state(self) -> dict[str, Any]:
        """Everything that is stored, without times."""
        objects = {key: _TIMES.sub("T", self._read(key)) for key in self.keys()}
        items = {
            _TIMES.sub("T", json.dumps([item["pk"], item["sk"]])): _TIMES.sub("T", json.dumps(item, sort_keys=True))
            for item in self.items()
        }
        return objects | items

    def keys(self) -> list[str]:
        found = client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [item["Key"] for item in found]

    def items(self) -> list[dict[str, Any]]:
        return client("dynamodb").scan(TableName=TABLE)["Items"]

    def _read(self, key: str) -> str:
        return str(client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode("latin-1"))

    def snapshot(self) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
        return {key: self._read(key).encode("latin-1") for key in self.keys()}, self.items()

    def restore(self, saved: tuple[dict[str, bytes], list[dict[str, Any]]]) -> None:
        s3, dynamodb = client("s3"), client("dynamodb")
        for key in self.keys():
            s3.delete_object(Bucket=BUCKET, Key=key)
        for item in self.items():
            dynamodb.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})
        for key, content in saved[0].items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        for item in saved[1]:
            dynamodb.put_item(TableName=TABLE, Item=item)
        self.messages()

    def messages(self) -> int:
        """How many came since the last time."""
        sqs, count = client("sqs"), 0
        while batch := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            count += len(batch)
            for message in batch:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return count


def load(name: str) -> ModuleType:
    module = load_handler(name)
    module.__dict__["datetime"] = Stopped
    return module


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr("time.sleep", lambda _s: None)
    aws.client.cache_clear()
    client.cache_clear()
    calls = FaultyAws(dict(ANSWERS))
    with mock_aws(config={"lambda": {"use_docker": False}}):
        queue = make_resources(monkeypatch)
        calls.install(monkeypatch)
        yield Account(calls, {name: load(name) for name in STEPS}, queue)
    aws.client.cache_clear()


def make_resources(monkeypatch: pytest.MonkeyPatch) -> str:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key="policy/policy.json", Body=json.dumps(POLICY).encode())
    create_run_table(client("dynamodb"))
    topic, queue = create_inbox()
    client("scheduler").create_schedule_group(Name="warmups")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = client("iam").create_role(RoleName="target", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    functions = client("lambda")
    for name in FUNCTIONS:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": b"nothing"},
            MemorySize=1024,
            Publish=True,
            Tags={"optimizer": "on", "optimizer:warmup": "ready"},
        )
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    names = {
        "TABLE": TABLE,
        "BUCKET": BUCKET,
        "TOPIC_ARN": topic,
        "POLICY_KEY": "policy/policy.json",
        "SCHEDULE_GROUP": "warmups",
    }
    for name, value in names.items():
        monkeypatch.setenv(f"OPTIMIZER_{name}", value)
    return queue


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_run_survives_every_fault_of_every_call(
    account: Account, step: str, record_property: Any
) -> None:
    # A run of today finds what that of yesterday left.
    for earlier in ("start_run", "analyze_traffic", *list(STEPS)[: list(STEPS).index(step)]):
        if step != "start_run":
            account.run(earlier)
    before = account.snapshot()
    account.calls.arm(0, None)
    answer = account.run(step)
    calls = list(account.calls.made)
    # What was read from a log is not read again, so a second run knows where the first one stopped.
    once = account.state()
    account.run(step)
    twice, cases = account.state(), 0
    assert calls
    for place, operation in enumerate(calls, start=1):
        for fault in Fault:
            account.restore(before)
            account.calls.arm(place, fault)
            again = account.run_until_done(step)
            where = f"{step}: call {place} ({operation}) {fault}"
            sent = account.messages()
            assert again == answer or step == "publish_results", where
            state = account.state()
            assert state.keys() == twice.keys(), where
            different = {key for key in state if state[key] not in (once.get(key), twice[key])}
            assert not different, (where, [(state[key], twice[key]) for key in different])
            assert sent == 0 if step != "publish_results" else 1 <= sent <= 2, where
            cases += 1
    record_property("cases", cases)
