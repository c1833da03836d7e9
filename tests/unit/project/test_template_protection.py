"""What template.yaml keeps is encrypted, at rest and on the way; its logs end; what its roles may write is named."""

import re
from typing import Any

import pytest
from shipped_template import RESOURCES, TEMPLATE, Permission, branches, of_type, permissions

READS = re.compile(r"(Get|List|Describe|BatchGet|Query|FilterLogEvents$|StartQuery$|StopQuery$)")
# Every resource of its type, or everything. Executions of a machine that is named are not.
ANY = re.compile(
    r"(\*|(?!.*:execution:\$\{AWS::StackName\}-).*:(function:|log-group:|secret:|table/|scalable-target/|deploymentstrategy/|key/)?\*)"
)
# What can be written without a name or a tag: the action, and why.
UNLIMITED = {
    "states:SendTaskSuccess": "the task token is the right, and the action takes no resource",
    "states:SendTaskFailure": "the task token is the right, and the action takes no resource",
    "logs:CreateLogDelivery": "log delivery is the account's, and the action takes no resource",
    "logs:DeleteLogDelivery": "log delivery is the account's, and the action takes no resource",
    "logs:UpdateLogDelivery": "log delivery is the account's, and the action takes no resource",
    "logs:PutResourcePolicy": "log delivery is the account's, and the action takes no resource",
    # Starting a deployment asks for it beside the application, and nothing is written to the strategy.
    "appconfig:StartDeployment": "the application is named in the statement beside",
}


def text(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    if "!Sub" in resource:
        return str(resource["!Sub"])
    (named,) = resource.values()
    return f"${{{named}}}"


def unlimited(permission: Permission) -> set[str]:
    """The writes that the statement allows on whatever there is."""
    if permission.condition or not any(ANY.fullmatch(text(resource)) for resource in permission.resources):
        return set()
    return {action for action in permission.actions if not READS.match(action.partition(":")[2])}


def test_every_write_is_limited_by_resource_tag_or_condition() -> None:
    found = {action: permission.holder for permission in permissions() for action in unlimited(permission)}
    assert {action: holder for action, holder in found.items() if action not in UNLIMITED} == {}


def test_every_exception_for_a_right_is_still_needed() -> None:
    assert {action for permission in permissions() for action in unlimited(permission)} == set(UNLIMITED)


def test_every_action_is_named_in_full() -> None:
    for permission in permissions():
        for action in permission.actions:
            assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action), f"{permission.holder}: {action}"


def test_rights_on_functions_and_secrets_require_the_tag() -> None:
    """Whatever changes the team's functions or reads their secrets is limited by the tag."""
    tag = {"StringEquals": {"aws:ResourceTag/${TagKey}": "${TagValue}"}}
    for permission in permissions():
        if any(re.match(r".*:(function|secret):\*", text(resource)) for resource in permission.resources):
            reads = all(re.match(r"lambda:(Get|List)", action) for action in permission.actions)
            assert reads or permission.condition == tag, permission


def test_every_log_group_ends_its_logs() -> None:
    assert {group["RetentionInDays"]["!Ref"] for group in of_type("AWS::Logs::LogGroup").values()} == {
        "LogRetentionDays"
    }
    assert 0 not in TEMPLATE["Parameters"]["LogRetentionDays"]["AllowedValues"]


def test_payloads_of_state_machines_stay_out_of_the_log() -> None:
    machines = of_type("AWS::Serverless::StateMachine")
    assert machines
    for machine in machines.values():
        assert machine["Logging"]["IncludeExecutionData"] is False
        assert machine["Logging"]["Level"] == "ERROR"


def test_public_access_to_the_bucket_is_blocked() -> None:
    for bucket in of_type("AWS::S3::Bucket").values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}


@pytest.mark.parametrize(
    ("kind", "policy", "names"),
    [
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
    ],
)
def test_connections_that_are_not_encrypted_are_refused(kind: str, policy: str, names: str) -> None:
    refused = set()
    for own in of_type(policy).values():
        on = own[names] if isinstance(own[names], list) else [own[names]]
        for statement in own["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement["Principal"] == "*":
                assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                refused |= {resource["!Ref"] for resource in on}
    assert refused == set(of_type(kind))


def test_variables_contain_only_resources_and_settings() -> None:
    variables = dict(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    for function in of_type("AWS::Serverless::Function").values():
        variables |= function.get("Environment", {}).get("Variables", {})
    literal = {name: value for name, value in variables.items() if not isinstance(value, dict)}
    assert literal == {"OPTIMIZER_POLICY_KEY": "policy/policy.json"}
    for name, value in variables.items():
        if isinstance(value, dict):
            for branch in branches(value):
                ((kind, of),) = branch.items()
                assert kind in ("!Ref", "!GetAtt"), name
                named = str(of).partition(".")[0]
                assert named in {*RESOURCES, *TEMPLATE["Parameters"], "AWS::StackName"}, name


def test_no_parameter_is_a_secret() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        assert "NoEcho" not in parameter, name
        assert not re.search(r"(?i)password|secret|token", name), name


def test_only_the_function_that_asks_may_publish_to_approvers() -> None:
    """The topics of single approvers get their links, and nothing that another role could write."""
    publishing = {
        permission.holder: [str(resource) for resource in permission.resources if "_approver_" in str(resource)]
        for permission in permissions()
        if "sns:Publish" in permission.actions and "_approver_" in str(permission.resources)
    }
    (arn,) = publishing.pop("RequestApproval")
    assert publishing == {}
    assert "${AWS::StackName}_approver_*" in arn


def test_mail_subscription_lets_everything_through() -> None:
    """An alarm has no attributes, so that no filter on attributes lets it through."""
    (subscription,) = of_type("AWS::SNS::Subscription").values()
    assert subscription["TopicArn"] == {"!Ref": "Topic"}
    assert subscription["FilterPolicy"] == {}
    assert all(
        action == {"!Ref": "Topic"}
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        for action in alarm["AlarmActions"]
    )
