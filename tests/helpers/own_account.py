"""Make the application's own resources on moto, as in the shipped template, and load its handlers and their events."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda.models import LambdaFunction
from optimizer.aws import clients, paced_lambda
from shipped_template import RESOURCES, ROOT

from tests.helpers.light_moto import lighten_moto

BUCKET = TABLE = "optimizer"
ACCOUNT_ID = "123456789012"
lighten_moto()


def create_run_table(dynamodb: Any, name: str = TABLE) -> None:
    """The table of runs and changes, with the keys and indexes of template.yaml."""
    shipped = RESOURCES["Table"]["Properties"]
    kept = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    dynamodb.create_table(TableName=name, **{part: shipped[part] for part in kept})


@contextmanager
def own_account(monkeypatch: pytest.MonkeyPatch, region: str = "us-east-1") -> Iterator[None]:
    """Yield an emulated account with the table and the bucket, and the variables by which Lambdas find them.

    A test sets the variables that only some Lambdas know (OPTIMIZER_SCHEDULE_GROUP, ...) itself.
    """
    variables = {
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "OPTIMIZER_TABLE": TABLE,
        "OPTIMIZER_BUCKET": BUCKET,
        "OPTIMIZER_TOPIC_ARN": f"arn:aws:sns:{region}:{ACCOUNT_ID}:optimizer",
        "OPTIMIZER_PROGRAMS_TOPIC_ARN": f"arn:aws:sns:{region}:{ACCOUNT_ID}:programs",
        "OPTIMIZER_STACK": "optimizer",
        "OPTIMIZER_POLICY_KEY": "policy/policy.json",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # A test may put another function in its place.
    forgotten = [clients.client.cache_clear, paced_lambda.cache_clear]
    for forget in forgotten:
        forget()
    monkeypatch.setattr(LambdaFunction, "get_code", _with_nothing_reserved(LambdaFunction.get_code))
    with mock_aws(config={"lambda": {"use_docker": False}}):
        place: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        boto3.client("s3").create_bucket(Bucket=BUCKET, **place)
        create_run_table(boto3.client("dynamodb"))
        yield
    for forget in forgotten:
        forget()


def _with_nothing_reserved(get_code: Callable[..., Any]) -> Callable[..., Any]:
    """Return what answers GetFunction, with a reserved concurrency of 0, which moto leaves out and Lambda does not."""

    def answer(function: LambdaFunction) -> Any:
        found = get_code(function)
        if function.reserved_concurrency == 0:
            found["Concurrency"] = {"ReservedConcurrentExecutions": 0}
        return found

    return answer


def create_target(name: str, *, alias: bool = True, **tags: str) -> str:
    """Create a function that may be tuned, its first version as `live`; return its ARN without qualifier."""
    iam, functions = boto3.client("iam"), boto3.client("lambda")
    if not iam.list_roles()["Roles"]:
        iam.create_role(RoleName="target", AssumeRolePolicyDocument="{}")
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=iam.get_role(RoleName="target")["Role"]["Arn"],
        Handler="app.handler",
        Code={"ZipFile": b"nothing"},
        MemorySize=1024,
        Architectures=["arm64"],
        Publish=True,
        Tags={"optimizer": "on", **tags},
    )["FunctionArn"]
    if alias:
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return arn.removesuffix(":1")


def create_inbox(topic_name: str = "optimizer") -> tuple[str, str]:
    """Create a topic with a queue for its messages; return (ARN of the topic, URL of the queue)."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic_arn = sns.create_topic(Name=topic_name)["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    return topic_arn, queue


def load_handler(name: str) -> ModuleType:
    """Return the module app.py of a Lambda, as in a new execution environment."""
    spec = importlib.util.spec_from_file_location(f"{name}_app", ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sample_event(name: str) -> dict[str, Any]:
    """Return the event that is shipped for a Lambda."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event
