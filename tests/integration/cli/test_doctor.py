"""`optimizer doctor` names each thing that is wrong with a stack, and what to do about it."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from moto import mock_aws
from optimizer.store import RunStore
from optimizer_cli.doctor import trials
from optimizer_cli.doctor.checks import CHECKS, POLICY_KEY
from optimizer_cli.doctor.finding import Finding, Health, Stack, run
from optimizer_cli.main import main

from tests.helpers.light_moto import lighten_moto
from tests.helpers.own_account import create_run_table

REGION = "eu-central-1"
FUNCTION = "shop"
TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}}}}


class World:
    """A healthy stack in moto's account, with parts that a test can break."""

    def __init__(self, page: str) -> None:
        # A client for each service, made once.
        self.aws = cache(boto3.Session(region_name=REGION).client)
        self.settings = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}
        self.answer: dict[str, Any] = {}
        self.denied = ""
        sns, sqs = self.aws("sns"), self.aws("sqs")
        self.topic = sns.create_topic(Name="optimizer-topic")["TopicArn"]
        self.queue = sqs.create_queue(QueueName="optimizer-dead")["QueueUrl"]
        self.subscription = sns.subscribe(
            TopicArn=self.topic, Protocol="email", Endpoint="team@example.com", ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        self.aws("s3").create_bucket(
            Bucket="optimizer-bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        self.put_policy({"version": 1})
        self.role = self._role("optimizer-role")
        self.aws("scheduler").create_schedule_group(Name="optimizer-runs")
        self.schedule("ENABLED")
        self._table()
        self._function()
        self.alarm("OK")
        self.stack = Stack(
            name="optimizer",
            region=REGION,
            status="UPDATE_COMPLETE",
            outputs={
                "BucketName": "optimizer-bucket",
                "TableName": "optimizer-table",
                "TopicArn": self.topic,
                "ProgramsTopicArn": f"{self.topic}-programs",
                "OptimizeStateMachineArn": f"arn:aws:states:{REGION}:123456789012:stateMachine:optimizer",
                "WarmupDeadLettersUrl": self.queue,
                "RunScheduleGroup": "optimizer-runs",
                "ApprovalUrl": page,
                "ReportUrl": page,
            },
            resources={
                "AWS::CloudWatch::Alarm": {"FailedRuns": "optimizer-failed-runs"},
                "AWS::Lambda::Function": {"AnswerApproval": "optimizer-answer_approval"},
                "AWS::IAM::Role": {"Role": "optimizer-role"},
            },
            client=self.client,
        )

    def client(self, service: str) -> Any:
        if service == "lambda":
            return SimpleNamespace(
                invoke=lambda **_: {"Payload": io.BytesIO(b'{"outcome": "unknown"}'), **self.answer},
                get_account_settings=lambda: {"AccountLimit": self.settings},
            )
        if service == self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetSchedule")
        return self.aws(service)

    def put_policy(self, policy: Any) -> None:
        self.aws("s3").put_object(Bucket="optimizer-bucket", Key=POLICY_KEY, Body=json.dumps(policy))

    def schedule(self, state: str) -> None:
        scheduler = self.aws("scheduler")
        part: dict[str, Any] = {
            "Name": "optimizer-daily",
            "GroupName": "optimizer-runs",
            "ScheduleExpression": "rate(1 day)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": self.topic, "RoleArn": self.role},
            "State": state,
        }
        if scheduler.list_schedules()["Schedules"]:
            scheduler.update_schedule(**part)
        else:
            scheduler.create_schedule(**part)

    def alarm(self, state: str) -> None:
        cloudwatch = self.aws("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="optimizer-failed-runs",
            MetricName="x",
            Namespace="optimizer",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            Statistic="Sum",
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName="optimizer-failed-runs", StateValue=state, StateReason="test")

    def findings(self) -> dict[str, Finding]:
        return {finding.check: finding for finding in run(CHECKS, self.stack)}

    @property
    def store(self) -> RunStore:
        return RunStore(self.aws("dynamodb"), "optimizer-table")

    def _role(self, name: str) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        made = self.aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
        return str(made["Role"]["Arn"])

    def _table(self) -> None:
        create_run_table(self.aws("dynamodb"), "optimizer-table")
        self.store.record_run("first", datetime.now(UTC), targets=3)
        self.store.finish_run("first", "succeeded", datetime.now(UTC))

    def _function(self) -> None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("app.py", "")
        self.function = self.aws("lambda").create_function(
            FunctionName=FUNCTION,
            Runtime="python3.13",
            Handler="app.handler",
            Role=self.role,
            Code={"ZipFile": content.getvalue()},
            Tags={"optimizer": "on"},
        )["FunctionArn"]


@pytest.fixture
def page() -> Iterator[tuple[str, Callable[[str], None]]]:
    """Serve what a page answers without a link, or what a test puts in its place."""
    body = ["<html>This link is not complete.</html>"]

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.end_headers()
            self.wfile.write(body[0].encode())

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", lambda text: body.__setitem__(0, text)
        server.shutdown()


@pytest.fixture
def world(page: tuple[str, Callable[[str], None]], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    lighten_moto()
    with mock_aws():
        yield World(page[0])


def test_a_healthy_stack_has_no_problem(world: World) -> None:
    found = world.findings()
    assert {finding.health for finding in found.values()} == {Health.OK}, found
    assert len(found) == len(CHECKS) + 1  # two pages


def break_stack(world: World) -> None:
    world.stack = replace(world.stack, status="UPDATE_ROLLBACK_FAILED")


def break_policy(world: World) -> None:
    world.put_policy({"version": 1, "mode": "perhaps"})


def break_tags(world: World) -> None:
    world.aws("lambda").untag_resource(Resource=world.function, TagKeys=["optimizer"])


def break_subscription(world: World) -> None:
    world.aws("sns").unsubscribe(SubscriptionArn=world.subscription)


def break_approver(world: World) -> None:
    world.put_policy({"version": 1, "approvals": {"approvers": [{"name": "anna"}]}})


def break_run(world: World) -> None:
    failure = {"state": "Tune", "error": "States.Timeout"}
    world.store.record_run("second", datetime.now(UTC), targets=3)
    world.store.finish_run("second", "failed", datetime.now(UTC), failure=failure)


def break_schedule_calls(world: World) -> None:
    world.aws("sqs").send_message(QueueUrl=world.queue, MessageBody="{}")


def break_lambda(world: World) -> None:
    world.answer = {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorType": "Runtime.ImportModuleError"}')}


def break_concurrency(world: World) -> None:
    world.settings = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}


@pytest.mark.parametrize(
    ("break_it", "check", "said", "remedy"),
    [
        (break_stack, "stack", "UPDATE_ROLLBACK_FAILED", "describe-stack-events"),
        (break_policy, "policy", "mode", "policy put"),
        (break_tags, "functions", "No function carries optimizer=on", "tag-resource"),
        (break_subscription, "people", "Nobody", "sns subscribe"),
        (break_approver, "approvers", "anna has no topic of their own", "approvals add anna"),
        (lambda world: world.schedule("DISABLED"), "schedules", "optimizer-daily", "ScheduleState"),
        (break_run, "runs", "second, failed in Tune: States.Timeout", "operations.md"),
        (lambda world: world.alarm("ALARM"), "alarms", "optimizer-failed-runs", "operations.md"),
        (break_schedule_calls, "dead letters", "1 calls", "receive-message"),
        (break_lambda, "lambdas", "ImportModuleError", "log"),
        (break_concurrency, "concurrency", "10 of 10", "request-service-quota-increase"),
    ],
)
def test_what_is_broken_is_named_with_its_remedy(
    world: World, break_it: Callable[[World], None], check: str, said: str, remedy: str
) -> None:
    break_it(world)
    found = world.findings()
    assert [name for name, finding in found.items() if finding.health is not Health.OK] == [check]
    assert found[check].health is Health.PROBLEM
    assert said in found[check].message
    assert remedy in found[check].remedy


def test_a_subscription_that_waits_for_its_confirmation_is_named(world: World) -> None:
    pending = {"SubscriptionArn": "PendingConfirmation", "Endpoint": "team@example.com", "Protocol": "email"}
    pages = SimpleNamespace(paginate=lambda **_: [{"Subscriptions": [pending]}])
    sns = SimpleNamespace(get_paginator=lambda _: pages)
    stack = replace(world.stack, client=lambda service: sns if service == "sns" else world.client(service))
    (found,) = [each for each in run(CHECKS, stack) if each.check == "people"]
    assert (found.health, "team@example.com" in found.message) == (Health.PROBLEM, True)


def test_a_subscription_of_an_earlier_version_is_named(world: World) -> None:
    asked = world.aws("sqs").get_queue_attributes(QueueUrl=world.queue, AttributeNames=["QueueArn"])
    arn = asked["Attributes"]["QueueArn"]
    world.aws("sns").subscribe(TopicArn=world.topic, Protocol="sqs", Endpoint=arn)
    (found,) = [found for found in run(CHECKS, world.stack) if found.health is Health.NOTE]
    assert (found.check, "for JSON" in found.message, "upgrade.md" in found.remedy) == ("people", True, True)


def test_a_page_that_the_organisation_forbids_is_named(world: World, page: tuple[str, Callable[[str], None]]) -> None:
    page[1]('{"Message": "Forbidden"}')
    found = world.findings()["approval page"]
    assert (found.health, "Forbidden" in found.message) == (Health.PROBLEM, True)
    assert "PublicPages=none" in found.remedy


def test_pages_that_are_off_are_no_problem(world: World) -> None:
    outputs = {name: value for name, value in world.stack.outputs.items() if not name.endswith("Url") or "Dead" in name}
    world.stack = replace(world.stack, outputs=outputs)
    assert world.findings()["approval page"].health is Health.NOTE


def test_a_stack_of_an_earlier_version_is_named(world: World) -> None:
    outputs = {name: value for name, value in world.stack.outputs.items() if name != "ProgramsTopicArn"}
    world.stack = replace(world.stack, outputs=outputs)
    (found,) = [each for each in run(CHECKS, world.stack) if each.health is Health.UNKNOWN]
    assert (found.check, "'ProgramsTopicArn'" in found.message) == ("people", True)
    assert "upgrade.md" in found.remedy


def test_a_permissions_boundary_is_a_note(world: World) -> None:
    statement = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = world.aws("iam").create_policy(PolicyName="limits", PolicyDocument=document)
    policy = made["Policy"]["Arn"]
    world.aws("iam").put_role_permissions_boundary(RoleName="optimizer-role", PermissionsBoundary=policy)
    found = world.findings()["rights"]
    assert (found.health, policy in found.message) == (Health.NOTE, True)


def test_what_aws_refuses_to_tell_is_named_with_the_right(world: World) -> None:
    world.denied = "scheduler"
    found = world.findings()["schedules"]
    assert (found.health, found.message) == (Health.UNKNOWN, "AWS refused GetSchedule: AccessDenied.")
    assert "GetSchedule" in found.remedy


def test_trials_tell_how_the_account_answers_and_leave_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_WITHIN_S", 1.0)
    before = [
        world.aws("sns").list_topics()["Topics"],
        world.aws("sqs").list_queues()["QueueUrls"],
    ]
    found = {each.check: each.message for each in run([trials.filters_of_json_messages], world.stack)}
    assert found["filters of JSON messages"].startswith("Filters on attributes")
    assert "String.Array" in found["empty attribute"]
    after = [
        world.aws("sns").list_topics()["Topics"],
        world.aws("sqs").list_queues()["QueueUrls"],
    ]
    assert after == before


def test_a_schedule_in_the_past_is_tried_and_deleted(world: World) -> None:
    (found,) = run([trials.schedules_in_the_past], world.stack)
    assert found.message.endswith(("is accepted.", "is refused."))
    assert [each["Name"] for each in world.aws("scheduler").list_schedules()["Schedules"]] == ["optimizer-daily"]


def test_doctor_without_a_stack_ends_with_three(world: World) -> None:
    assert world.stack
    done = CliRunner().invoke(main, ["doctor", "--stack", "other"])
    assert (done.exit_code, "There is no stack other" in done.output) == (3, True)


def test_a_stack_is_read_with_its_resources(world: World) -> None:
    world.aws("cloudformation").create_stack(StackName="optimizer", TemplateBody=json.dumps(TEMPLATE))
    stack = Stack.find("optimizer", world.aws)
    assert stack is not None
    assert (stack.status, stack.region) == ("CREATE_COMPLETE", REGION)
    assert stack.resources["AWS::SNS::Topic"] == {"Topic": stack.outputs["TopicArn"]}
