"""The local account fails the stacks that CloudFormation fails, and rolls them back by their deletion policies."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_account.account import LocalAccount

from tests.helpers.small_stacks import delete_stack, make_role, make_stack, may, package

pytestmark = pytest.mark.starts_servers

CODE = "def handler(event, context):\n    return event\n"


def schedule(name: str, group: str = "default") -> Mapping[str, Any]:
    target = {
        "Arn": "arn:aws:lambda:eu-central-1:123456789012:function:x",
        "RoleArn": "arn:aws:iam::123456789012:role/x",
    }
    properties = {
        "Name": name,
        "GroupName": group,
        "ScheduleExpression": "cron(0 4 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "DISABLED",
        "Target": target,
    }
    return {"Type": "AWS::Scheduler::Schedule", "Properties": properties}


def function(role: str, name: str, **more: Any) -> Mapping[str, Any]:
    code = {"ZipFile": CODE}
    properties = {"FunctionName": name, "Role": role, "Runtime": "python3.13", "Handler": "index.handler", "Code": code}
    return {"Type": "AWS::Lambda::Function", "Properties": {**properties, **more}}


def bucket(policy: str) -> Mapping[str, Any]:
    return {"Type": "AWS::S3::Bucket", "DeletionPolicy": policy, "UpdateReplacePolicy": "Retain"}


def test_schedule_name_is_unique_in_its_group(empty: LocalAccount) -> None:
    """EventBridge Scheduler API reference, CreateSchedule: ConflictException; the stack fails with it."""
    assert make_stack(empty, "schedules-1", {"Daily": schedule("daily")})[0] == "CREATE_COMPLETE"

    status, reasons = make_stack(empty, "schedules-2", {"Daily": schedule("daily")})

    assert status == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons
    assert empty.session.client("scheduler").get_schedule(Name="daily")["ScheduleExpressionTimezone"] == "Europe/Berlin"
    group = {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "own"}}
    own = {"Own": group, "Daily": {**schedule("daily", "own"), "DependsOn": "Own"}}
    assert make_stack(empty, "schedules-3", own)[0] == "CREATE_COMPLETE"


def test_function_url_is_unknown_where_a_region_has_none(empty: LocalAccount) -> None:
    """cfn-lint's registry of types by Region: 14 Regions have no AWS::Lambda::Url."""
    url = {"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE", "TargetFunctionArn": "x"}}
    with (
        empty.switched(function_urls=False),
        pytest.raises(ClientError, match=r"Unrecognized resource types: \[AWS::Lambda::Url\]"),
    ):
        make_stack(empty, "urls", {"Url": url})


def test_log_group_that_exists_fails_the_stack(empty: LocalAccount) -> None:
    """CloudFormation creates AWS::Logs::LogGroup and never adopts one: "already exists"."""
    empty.session.client("logs").create_log_group(logGroupName="/aws/lambda/taken")
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/taken"}}

    status, reasons = make_stack(empty, "groups", {"Group": group})

    assert status == "ROLLBACK_COMPLETE"
    assert "already exists" in reasons


def test_function_name_has_at_most_64_characters(empty: LocalAccount) -> None:
    """Lambda API reference, CreateFunction."""
    role = make_role(empty, "named", may("logs:*"))

    status, reasons = make_stack(empty, "names", {"Function": function(role, "n" * 65)})

    assert (status, "less than or equal to 64" in reasons) == ("ROLLBACK_COMPLETE", True)
    client = empty.session.client("lambda")
    asked = {"Role": role, "Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": package(CODE)}}
    with pytest.raises(ClientError, match="less than or equal to 64"):
        client.create_function(FunctionName="n" * 65, **asked)
    assert client.create_function(FunctionName="n" * 64, **asked)["FunctionName"] == "n" * 64


def test_function_in_a_network_needs_its_interfaces(empty: LocalAccount) -> None:
    """Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"."""
    ec2 = empty.session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.2.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="inside", Description="inside")["GroupId"]
    network = {"SubnetIds": [subnet], "SecurityGroupIds": [group]}
    interfaces = may("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
    may_log, may_connect = make_role(empty, "logs", may("logs:*")), make_role(empty, "connects", interfaces)

    def create(name: str, role: str, **other: Any) -> tuple[str, str]:
        return make_stack(empty, name, {"Function": function(role, name, VpcConfig={**network, **other})})

    status, reasons = create("without-rights", may_log)
    assert status == "ROLLBACK_COMPLETE"
    assert "does not have permissions to call CreateNetworkInterface on EC2" in reasons
    assert "subnet ID 'subnet-none' does not exist" in create("nowhere", may_connect, SubnetIds=["subnet-none"])[1]
    assert create("connected", may_connect)[0] == "CREATE_COMPLETE"


def test_new_account_refuses_reserved_concurrency(empty: LocalAccount) -> None:
    """Lambda Developer Guide, "Configuring reserved concurrency": a minimum must stay unreserved."""
    role = make_role(empty, "reserving", may("logs:*"))
    reserving = {"Function": function(role, "reserving", ReservedConcurrentExecutions=2)}
    client = empty.session.client("lambda")
    free = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    with empty.switched(account_concurrency=10):
        status, reasons = make_stack(empty, "reserving-1", reserving)
        assert status == "ROLLBACK_COMPLETE"
        assert "below its minimum value of [10]" in reasons
        assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 10

    assert make_stack(empty, "reserving-2", reserving)[0] == "CREATE_COMPLETE"
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == free - 2
    closed = {"Function": function(role, "closed", ReservedConcurrentExecutions=0)}
    with empty.switched(account_concurrency=10):
        assert make_stack(empty, "closed", closed)[0] == "CREATE_COMPLETE", "closing a function takes nothing"


@pytest.mark.parametrize(("policy", "stays"), [("Retain", True), ("RetainExceptOnCreate", False), ("Delete", False)])
def test_rollback_follows_the_deletion_policies(empty: LocalAccount, policy: str, stays: bool) -> None:
    """CloudFormation User Guide, "DeletionPolicy attribute"."""
    s3 = empty.session.client("s3")
    before = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    fails = {**schedule("rolls-back", "no-such-group"), "DependsOn": "Bucket"}

    status, _ = make_stack(empty, f"rolls-back-{policy.lower()}", {"Bucket": bucket(policy), "Fails": fails})

    assert status == "ROLLBACK_COMPLETE"
    assert bool({one["Name"] for one in s3.list_buckets()["Buckets"]} - before) == stays


def test_retained_bucket_outlives_its_stack(empty: LocalAccount) -> None:
    """CloudFormation User Guide, "DeletionPolicy attribute": RetainExceptOnCreate retains on deletion."""
    s3 = empty.session.client("s3")
    before = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    assert make_stack(empty, "retained", {"Bucket": bucket("RetainExceptOnCreate")})[0] == "CREATE_COMPLETE"

    assert delete_stack(empty, "retained") == "DELETE_COMPLETE"

    assert {one["Name"] for one in s3.list_buckets()["Buckets"]} - before


def test_conditions_know_the_region_and_empty_lists(empty: LocalAccount) -> None:
    """CloudFormation User Guide, "Condition functions": Fn::Equals takes Ref of pseudo parameters and Fn::Join."""
    here = {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-central-1"]}
    some = {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "Names"}]}, ""]}]}
    queue = {"Type": "AWS::SQS::Queue"}
    template = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": ""}},
        "Conditions": {"Here": here, "Elsewhere": {"Fn::Not": [{"Condition": "Here"}]}, "Some": some},
        "Resources": {name: {**queue, "Condition": name} for name in ("Here", "Elsewhere", "Some")},
    }
    assert made(empty, "conditions", template) == {"Here"}
    assert made(empty, "conditions-2", template, Names="a,b") == {"Here", "Some"}


def made(account: LocalAccount, name: str, template: Mapping[str, Any], **values: str) -> set[str]:
    """Create a stack; return the logical ids of its resources."""
    client = account.session.client("cloudformation")
    parameters: Any = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    client.create_stack(StackName=name, TemplateBody=json.dumps(template), Parameters=parameters)
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    resources = client.describe_stack_resources(StackName=name)["StackResources"]
    return {resource["LogicalResourceId"] for resource in resources}
