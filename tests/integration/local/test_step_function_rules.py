"""The local account runs, redrives and refuses state machines as Step Functions does."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_account.account import LocalAccount

from tests.helpers.small_machines import ended, jsonata, make_machine, run
from tests.helpers.small_stacks import make_role, may, package

pytestmark = pytest.mark.starts_servers

LAMBDA = "arn:aws:states:::lambda:invoke"
# It fails unless its one variable says otherwise, and answers with what it was given.
CODE = """import os

def handler(event, context):
    if os.environ["FAILS"] == "yes":
        raise RuntimeError("as told")
    return event
"""
CATCH = [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}]


def failing_function(account: LocalAccount, name: str) -> Any:
    """Create a function that fails; return a call that mends it."""
    client = account.session.client("lambda")
    client.create_function(
        FunctionName=name,
        Role=make_role(account, "failing", may("logs:*")),
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": package(CODE)},
        Environment={"Variables": {"FAILS": "yes"}},
    )
    return lambda: client.update_function_configuration(FunctionName=name, Environment={"Variables": {"FAILS": "no"}})


def entered(account: LocalAccount, arn: str, state: str) -> int:
    """Return how many times an execution has entered a state."""
    client = account.session.client("stepfunctions")
    events = client.get_execution_history(executionArn=arn)["events"]
    return sum(event.get("stateEnteredEventDetails", {}).get("name") == state for event in events)


def call(name: str, **more: Any) -> dict[str, Any]:
    arguments = {"FunctionName": name, "Payload": {"number": "{% $number %}"}}
    return {"Type": "Task", "Resource": LAMBDA, "Arguments": arguments, "End": True, **more}


SET = {"Type": "Pass", "Assign": {"number": "{% $states.input.number %}"}, "Next": "Call"}


def test_redrive_goes_on_at_the_state_that_failed(empty: LocalAccount) -> None:
    """Step Functions Developer Guide, "Restarting state machine executions with redrive"."""
    mend = failing_function(empty, "redriven")
    failed = run(empty, make_machine(empty, "redriven", jsonata(Set=SET, Call=call("redriven"))), {"number": 7})
    assert failed["status"] == "FAILED"
    mend()

    empty.session.client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])

    described = ended(empty, failed["executionArn"])
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"])["Payload"] == {"number": 7}, "the variables of the execution are still known"
    assert entered(empty, failed["executionArn"], "Set") == 1
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        empty.session.client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])


def test_redrive_gains_nothing_where_failures_are_caught(empty: LocalAccount) -> None:
    """The state that did not exit is the Fail state, although the cause of the failure is gone."""
    mend = failing_function(empty, "caught")
    states = {"Set": SET, "Call": call("caught", Catch=CATCH), "Failed": {"Type": "Fail", "Error": "Run.Failed"}}
    failed = run(empty, make_machine(empty, "caught", jsonata(**states)), {"number": 7})
    assert (failed["status"], failed["error"]) == ("FAILED", "Run.Failed")
    mend()

    empty.session.client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])

    again = ended(empty, failed["executionArn"])
    assert (again["status"], again["error"]) == ("FAILED", "Run.Failed")
    assert entered(empty, failed["executionArn"], "Call") == 1


@pytest.mark.parametrize(("setting", "status"), [("succeeds", "SUCCEEDED"), ("fails", "FAILED")])
def test_empty_distributed_map_is_a_switch(empty: LocalAccount, setting: str, status: str) -> None:
    """No source settles what a Distributed Map over an empty list does."""
    s3 = empty.session.client("s3")
    bucket = f"manifests-{setting}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=bucket, Key="none.json", Body=b"[]")
    each = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Arguments": {"Bucket": bucket, "Key": "none.json"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Nothing",
            "States": {"Nothing": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    machine = make_machine(empty, f"empty-map-{setting}", jsonata(Each=each))
    with empty.switched(empty_map=setting):
        assert run(empty, machine, {})["status"] == status


@pytest.mark.parametrize("partition", ["aws-us-gov", "aws-cn"])
def test_integration_of_another_partition_is_refused(empty: LocalAccount, partition: str) -> None:
    """aws/aws-cdk issue 4597: integrations are resources of the own partition."""
    with empty.switched(partition=partition):
        with pytest.raises(ClientError, match="SCHEMA_VALIDATION_FAILED"):
            make_machine(empty, f"foreign-{partition}", jsonata(Call=call("any")))
        own = {**call("any"), "Resource": LAMBDA.replace("arn:aws:", f"arn:{partition}:")}
        assert make_machine(empty, f"own-{partition}", jsonata(Call=own))
    with pytest.raises(ClientError, match="SCHEMA_VALIDATION_FAILED"):
        make_machine(empty, f"at-home-{partition}", jsonata(Call=own))
