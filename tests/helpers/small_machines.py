"""Run small state machines in a local account."""

import json
import time
from collections.abc import Mapping
from typing import Any

from local_account.account import LocalAccount

from tests.helpers.small_stacks import make_role, may

_WITHIN_S = 30.0


def make_machine(account: LocalAccount, name: str, definition: Mapping[str, Any]) -> str:
    """Create a state machine of this definition; return its ARN."""
    client = account.session.client("stepfunctions")
    role = make_role(account, "machines", may("sns:Publish", "lambda:InvokeFunction", "s3:GetObject"))
    made = client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
    arn: str = made["stateMachineArn"]
    return arn


def run(account: LocalAccount, machine: str, given: Any) -> Mapping[str, Any]:
    """Run a state machine; return the description of its execution."""
    client = account.session.client("stepfunctions")
    return ended(account, client.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])


def ended(account: LocalAccount, arn: str) -> Mapping[str, Any]:
    """Return the description of an execution once it has ended."""
    client, deadline = account.session.client("stepfunctions"), time.monotonic() + _WITHIN_S
    described: Mapping[str, Any]
    while (described := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return described


def jsonata(**states: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a definition of these states that starts at the first."""
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
