"""The local account writes the lines of a call with the rights of the function's role, late if so switched."""

import json
import time
from typing import Any

import pytest
from local_account.account import LocalAccount

from tests.helpers.small_stacks import make_role, may, package

pytestmark = pytest.mark.starts_servers

CODE = "def handler(event, context):\n    print('spoke')\n    return event\n"
WRITE = ("logs:CreateLogStream", "logs:PutLogEvents")
CREATE = "logs:CreateLogGroup"
# The lines are late by this: long enough to look and delete meanwhile, on a busy machine as well.
LATE_S = 3.0


def call(account: LocalAccount, name: str, role: str) -> str:
    """Create a function and call it; return the name of its log group."""
    client = account.session.client("lambda")
    code = {"ZipFile": package(CODE)}
    client.create_function(FunctionName=name, Role=role, Runtime="python3.13", Handler="app.handler", Code=code)
    answer = client.invoke(FunctionName=name, Payload=json.dumps({}))
    assert "FunctionError" not in answer
    return f"/aws/lambda/{name}"


def lines(account: LocalAccount, group: str) -> list[str]:
    logs: Any = account.session.client("logs")
    try:
        return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def groups(account: LocalAccount) -> set[str]:
    return {group["logGroupName"] for group in account.session.client("logs").describe_log_groups()["logGroups"]}


def test_lines_make_a_group_where_the_role_may(empty: LocalAccount) -> None:
    """Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs": the role needs three rights."""
    group = call(empty, "may-create", make_role(empty, "may-create", may(CREATE, *WRITE)))
    assert any("spoke" in line for line in lines(empty, group))

    assert call(empty, "may-not", make_role(empty, "may-not", may(*WRITE))) not in groups(empty)
    denied = make_role(empty, "denied", may(CREATE, *WRITE), may(CREATE, effect="Deny"))
    assert call(empty, "denied", denied) not in groups(empty)


def test_lines_of_a_role_that_may_not_write_are_lost(empty: LocalAccount) -> None:
    empty.session.client("logs").create_log_group(logGroupName="/aws/lambda/mute")
    assert lines(empty, call(empty, "mute", make_role(empty, "mute", may("s3:GetObject")))) == []


def test_late_lines_make_a_deleted_group_again(empty: LocalAccount) -> None:
    """aws/aws-cdk issue 11549: last lines arrive after the group was deleted, and make it without retention."""
    role = make_role(empty, "late", may(CREATE, *WRITE))
    logs = empty.session.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/late")
    logs.put_retention_policy(logGroupName="/aws/lambda/late", retentionInDays=7)
    with empty.switched(late_log_lines_s=LATE_S):
        group = call(empty, "late", role)
        assert lines(empty, group) == []
        logs.delete_log_group(logGroupName=group)
        empty.session.client("iam").delete_role_policy(RoleName="late", PolicyName="rights")

        deadline = time.monotonic() + 60
        while group not in groups(empty):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    assert any("spoke" in line for line in lines(empty, group))
    (again,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in again
