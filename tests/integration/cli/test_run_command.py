"""`optimizer run --again` starts a run with the input of an earlier one."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws
from optimizer_cli.main import main

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:optimizer-optimize"
INPUT = {"reason": "daily", "tuners": ["warmups"]}
DEFINITION = {"StartAt": "Fails", "States": {"Fails": {"Type": "Fail"}}}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}


@pytest.fixture
def sfn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Provide Step Functions with the state machine of the stack, and one run of it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        outputs = {
            "TableName": "t",
            "BucketName": "b",
            "OptimizeStateMachineArn": MACHINE,
            "ChangeStateMachineArn": "c",
            "TopicArn": "o",
        }
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        boto3.client("cloudformation").create_stack(StackName="optimizer", TemplateBody=json.dumps(template))
        role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        client = boto3.client("stepfunctions")
        client.create_state_machine(name="optimizer-optimize", definition=json.dumps(DEFINITION), roleArn=role)
        client.start_execution(stateMachineArn=MACHINE, name="monday", input=json.dumps(INPUT))
        yield client


def again(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "--again", *arguments])


def ended(sfn: Any) -> None:
    sfn.stop_execution(executionArn=f"{MACHINE.replace(':stateMachine:', ':execution:')}:monday")


def test_a_run_is_started_again_with_the_same_input(sfn: Any) -> None:
    ended(sfn)
    done = again("monday", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["input"] == INPUT
    started = sfn.describe_execution(
        executionArn=f"{MACHINE.replace(':stateMachine:', ':execution:')}:{said['run_id']}"
    )
    assert json.loads(started["input"]) == INPUT
    assert said["run_id"].startswith("monday-again-")


def test_an_active_run_is_not_started_again(sfn: Any) -> None:
    assert len(sfn.list_executions(stateMachineArn=MACHINE)["executions"]) == 1
    done = again("monday")
    assert (done.exit_code, done.output) == (1, "Error: Run monday is still active.\n")


@pytest.mark.usefixtures("sfn")
def test_an_unknown_run_is_one_sentence() -> None:
    done = again("tuesday")
    assert done.exit_code == 3
    assert "There is no run tuesday" in done.output
