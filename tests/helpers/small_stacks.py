"""Create and delete stacks of a few resources in a local account, and say what became of them."""

import contextlib
import io
import json
import time
import zipfile
from collections.abc import Mapping
from typing import Any

from local_account.account import LocalAccount

_WITHIN_S = 60.0
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com", "scheduler.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


def make_stack(account: LocalAccount, name: str, resources: Mapping[str, Any], **more: Any) -> tuple[str, str]:
    """Create a stack of these resources; return its last status and the reasons of all failures."""
    client = account.session.client("cloudformation")
    body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    client.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"], **more)
    return _ended(client, name)


def delete_stack(account: LocalAccount, name: str) -> str:
    """Delete a stack; return its last status."""
    client = account.session.client("cloudformation")
    stack = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    client.delete_stack(StackName=name)
    return _ended(client, stack)[0]


def _ended(client: Any, stack: str) -> tuple[str, str]:
    deadline = time.monotonic() + _WITHIN_S
    while (found := client.describe_stacks(StackName=stack)["Stacks"][0])["StackStatus"].endswith("_IN_PROGRESS"):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return found["StackStatus"], " | ".join(reasons)


def make_role(account: LocalAccount, name: str, *statements: Mapping[str, Any]) -> str:
    """Create a role with these statements, or give an existing one these; return its ARN."""
    iam = account.session.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)
    arn: str = iam.get_role(RoleName=name)["Role"]["Arn"]
    return arn


def may(*actions: str, effect: str = "Allow") -> Mapping[str, Any]:
    """Return a statement about these actions on everything."""
    return {"Effect": effect, "Action": list(actions), "Resource": "*"}


def package(code: str, **files: bytes) -> bytes:
    """Return a package of a function whose module app.py is this, with more files by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", code)
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
