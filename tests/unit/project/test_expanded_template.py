"""The stack that CloudFormation makes of template.yaml, with the defaults and with each parameter of companies."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from expanded_template import decided, expanded
from shipped_template import ROOT

pytestmark = pytest.mark.slow
HOME = "eu-central-1"
WITHOUT_URLS = (
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "cn-northwest-1",
    "eu-central-2",
    "il-central-1",
    "me-central-1",
    "mx-central-1",
    "us-gov-east-1",
    "us-gov-west-1",
)
KEY = {"Ref": "KmsKeyArn"}
BOUNDARY = {"Ref": "PermissionsBoundaryArn"}
ARN = "arn:aws:kms:eu-central-1:123456789012:key/1"
POLICY = "arn:aws:iam::123456789012:policy/bounds"

type Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return expanded()


def stack(template: Mapping[str, Any], region: str = HOME, **parameters: str) -> dict[str, Any]:
    return decided(template, region, parameters)


def resources(template: Mapping[str, Any], region: str = HOME, **parameters: str) -> Resources:
    found: Resources = stack(template, region, **parameters)["Resources"]
    return found


def of_type(found: Resources, kind: str) -> Resources:
    return {name: own["Properties"] for name, own in found.items() if own["Type"] == kind}


def variables(found: Resources, function: str) -> dict[str, Any]:
    own: dict[str, Any] = found[function]["Properties"]["Environment"]["Variables"]
    return own


def test_both_pages_are_public_by_default(template: dict[str, Any]) -> None:
    made = stack(template)
    assert set(of_type(made["Resources"], "AWS::Lambda::Url")) == {"AnswerApprovalUrl", "ShowReportUrl"}
    public = [one for one in of_type(made["Resources"], "AWS::Lambda::Permission").values() if one["Principal"] == "*"]
    assert sorted((one["FunctionName"]["Ref"], one["Action"]) for one in public) == [
        ("AnswerApproval", "lambda:InvokeFunction"),
        ("AnswerApproval", "lambda:InvokeFunctionUrl"),
        ("ShowReport", "lambda:InvokeFunction"),
        ("ShowReport", "lambda:InvokeFunctionUrl"),
    ]
    # What everybody may do without the page is only what the page does.
    assert all(one.get("InvokedViaFunctionUrl") or one.get("FunctionUrlAuthType") == "NONE" for one in public)
    assert {"ApprovalUrl", "ReportUrl"} <= set(made["Outputs"])
    assert made["Outputs"]["PublicPages"]["Value"] == {"Ref": "PublicPages"}


@pytest.mark.parametrize(
    ("pages", "urls"),
    [("approvals", {"AnswerApprovalUrl"}), ("reports", {"ShowReportUrl"}), ("none", set[str]())],
)
def test_a_page_that_is_not_wanted_leaves_nothing_behind(template: dict[str, Any], pages: str, urls: set[str]) -> None:
    made = stack(template, PublicPages=pages)
    found = made["Resources"]
    assert set(of_type(found, "AWS::Lambda::Url")) == urls
    public = [one for one in of_type(found, "AWS::Lambda::Permission").values() if one["Principal"] == "*"]
    assert {f"{one['FunctionName']['Ref']}Url" for one in public} == urls
    told = json.dumps(made)
    for page, key, url in (("Approval", "ApprovalKey", "AnswerApprovalUrl"), ("Report", "ReportKey", "ShowReportUrl")):
        has = url in urls
        assert (key in found) is has
        assert (f"{page}Url" in made["Outputs"]) is has
        assert (f'"{key}"' in told) is has
        assert (f"OPTIMIZER_{page.upper()}_URL" in told) is has
        assert (f"OPTIMIZER_{page.upper()}_KEY" in told) is has
    # The command responds through this function; nothing but the page needs the other one.
    assert "AnswerApproval" in found
    assert ("ShowReport" in found) is ("ShowReportUrl" in urls)


@pytest.mark.parametrize("region", WITHOUT_URLS)
def test_regions_without_function_urls_have_no_pages(template: dict[str, Any], region: str) -> None:
    made = stack(template, region, PublicPages="both")
    assert made["Resources"] == resources(template, HOME, PublicPages="none")
    assert str(made["Outputs"]["PublicPages"]["Value"]).startswith("none, because this Region has no Lambda function")


def test_names_of_schedules_are_in_a_group_of_the_stack(template: dict[str, Any]) -> None:
    schedules = of_type(resources(template), "AWS::Scheduler::Schedule").values()
    assert sorted(one["Name"] for one in schedules) == ["daily", "monthly", "prices", "warmups", "weekly"]
    assert {json.dumps(one["GroupName"]) for one in schedules} == {'{"Ref": "RunSchedules"}'}
    groups = of_type(resources(template), "AWS::Scheduler::ScheduleGroup").values()
    assert all("${AWS::StackName}" in one["Name"]["Fn::Sub"] for one in groups)


def test_every_fixed_name_contains_the_name_of_the_stack(template: dict[str, Any]) -> None:
    """A second stack in the same account and Region makes no name twice."""
    in_a_group_or_a_role = {"AWS::Scheduler::Schedule", "AWS::IAM::Policy"}
    names = {
        f"{logical_id}.{key}": value
        for logical_id, own in resources(template).items()
        if own["Type"] not in in_a_group_or_a_role
        for key, value in own.get("Properties", {}).items()
        if (re.fullmatch(r"\w*Name", key) and key not in ("FunctionName", "IndexName", "MetricName"))
        or (key == "FunctionName" and own["Type"] == "AWS::Lambda::Function")
    }
    assert len(names) > 20
    assert [name for name, value in names.items() if "AWS::StackName" not in json.dumps(value)] == []


def test_no_concurrency_is_reserved_by_default(template: dict[str, Any]) -> None:
    functions = of_type(resources(template), "AWS::Lambda::Function")
    assert [name for name, own in functions.items() if "ReservedConcurrentExecutions" in own] == []


@pytest.mark.parametrize(
    ("parameter", "function"), [("ApprovalConcurrency", "AnswerApproval"), ("ReportConcurrency", "ShowReport")]
)
def test_zero_is_reserved_and_closes_the_page(template: dict[str, Any], parameter: str, function: str) -> None:
    found = resources(template, **{parameter: "0"})
    assert found[function]["Properties"]["ReservedConcurrentExecutions"] == {"Ref": parameter}
    described = template["Parameters"][parameter]
    assert described["Default"] == "none"
    assert all(re.fullmatch(described["AllowedPattern"], value) for value in ("none", "0", "5"))


def test_a_creation_that_is_rolled_back_keeps_nothing(template: dict[str, Any]) -> None:
    kept = {name: own["DeletionPolicy"] for name, own in resources(template).items() if "DeletionPolicy" in own}
    del kept[next(name for name in kept if name.startswith("OptimizerLayer"))]
    assert kept == {"Table": "RetainExceptOnCreate", "Bucket": "RetainExceptOnCreate"}


def test_every_function_is_denied_making_a_log_group(template: dict[str, Any]) -> None:
    found = resources(template)
    functions = of_type(found, "AWS::Lambda::Function")
    roles = {own["Role"]["Fn::GetAtt"][0] for own in functions.values()}
    assert len(roles) == len(functions)
    for role in roles:
        statements = [
            statement
            for policy in found[role]["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        assert {"Effect": "Deny", "Action": "logs:CreateLogGroup", "Resource": "*"} in statements, role


def test_the_processor_is_no_parameter(template: dict[str, Any]) -> None:
    """`sam build` resolves parameters by its own arguments, which those of `sam deploy` may contradict."""
    for name, own in of_type(resources(template), "AWS::Lambda::Function").items():
        assert own["Architectures"] == ["arm64"], name


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in (ROOT / "statemachine").glob("*.json")))
def test_no_partition_is_fixed_in_a_state_machine(name: str) -> None:
    text = (ROOT / "statemachine" / f"{name}.asl.json").read_text()
    assert re.findall(r"arn:(?!\$\{Partition\}:)", text) == []


def test_no_partition_is_fixed_in_the_template(template: dict[str, Any]) -> None:
    """Only AWS' own managed policies stand there, which the transform names by the partition it runs in."""
    found = re.findall(r"arn:aws[\w-]*:[^\"]+", json.dumps(template["Resources"]))
    assert {arn for arn in found if not arn.startswith("arn:aws:iam::aws:policy/")} == set()


def test_a_permissions_boundary_is_on_every_role_if_it_is_given(template: dict[str, Any]) -> None:
    bare, bound = (
        of_type(found, "AWS::IAM::Role")
        for found in (resources(template), resources(template, PermissionsBoundaryArn=POLICY))
    )
    assert len(bare) > 20
    assert not any("PermissionsBoundary" in own for own in bare.values())
    assert {name for name, own in bound.items() if own.get("PermissionsBoundary") != BOUNDARY} == set()


@pytest.mark.parametrize("kind", ["AWS::IAM::Role", "AWS::IAM::ManagedPolicy"])
def test_every_role_and_policy_has_the_path(template: dict[str, Any], kind: str) -> None:
    found = of_type(resources(template, KmsKeyArn=ARN, RolePath="/teams/"), kind)
    assert found
    assert {name for name, own in found.items() if own.get("Path") != {"Ref": "RolePath"}} == set()


@pytest.mark.parametrize("kind", ["AWS::IAM::Role", "AWS::IAM::ManagedPolicy"])
def test_an_upgrade_replaces_no_role_by_default(template: dict[str, Any], kind: str) -> None:
    """CloudFormation replaces a role whose Path is added, and schedules and running executions hold the old one."""
    found = of_type(resources(template, KmsKeyArn=ARN), kind)
    assert {name for name, own in found.items() if "Path" in own} == set()
    assert template["Parameters"]["RolePath"]["Default"] == "/"


def test_keys_of_aws_encrypt_everything_by_default(template: dict[str, Any]) -> None:
    found = resources(template)
    assert "KmsKeyArn" not in json.dumps([own.get("Properties") for own in found.values()])
    for table in of_type(found, "AWS::DynamoDB::Table").values():
        assert table["SSESpecification"] == {"SSEEnabled": True}
    for bucket in of_type(found, "AWS::S3::Bucket").values():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    for topic in of_type(found, "AWS::SNS::Topic").values():
        # CloudWatch's alarms may not use the key that AWS manages for SNS.
        assert topic["KmsMasterKeyId"]["Ref"] in of_type(found, "AWS::KMS::Key")
    for queue in of_type(found, "AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True


def test_the_key_of_a_company_encrypts_everything(template: dict[str, Any]) -> None:
    found = resources(template, KmsKeyArn=ARN)
    for table in of_type(found, "AWS::DynamoDB::Table").values():
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    for bucket in of_type(found, "AWS::S3::Bucket").values():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        assert rule["BucketKeyEnabled"] is True
    for kind, name in (
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
    ):
        assert {json.dumps(own[name]) for own in of_type(found, kind).values()} == {json.dumps(KEY)}, kind
    assert not any("SqsManagedSseEnabled" in own for own in of_type(found, "AWS::SQS::Queue").values())
    # Only the keys that sign links remain, because HMAC keys cannot encrypt.
    assert {own["KeyUsage"] for own in of_type(found, "AWS::KMS::Key").values()} == {"GENERATE_VERIFY_MAC"}


def test_every_role_that_needs_it_may_use_the_key_of_a_company(template: dict[str, Any]) -> None:
    found = resources(template, KmsKeyArn=ARN)
    policy = {"Ref": "UseOwnKey"}
    without = {
        name for name, own in of_type(found, "AWS::IAM::Role").items() if policy not in own.get("ManagedPolicyArns", [])
    }
    # The schedules of runs only start the state machine, which has the right.
    assert without == {"RunScheduleRole"}


def test_deletion_protection_of_the_table_can_be_turned_on(template: dict[str, Any]) -> None:
    assert template["Parameters"]["TableDeletionProtection"]["Default"] == "false"
    protected = resources(template, TableDeletionProtection="true")["Table"]["Properties"]
    assert resources(template)["Table"]["Properties"]["DeletionProtectionEnabled"] is False
    assert protected["DeletionProtectionEnabled"] is True


def test_the_stack_and_its_tag_reach_every_function(template: dict[str, Any]) -> None:
    for name in of_type(resources(template), "AWS::Lambda::Function"):
        told = variables(resources(template), name)
        assert told["OPTIMIZER_STACK"] == {"Ref": "AWS::StackName"}
        assert told["OPTIMIZER_TAG_KEY"] == {"Ref": "TagKey"}
        assert told["OPTIMIZER_TAG_VALUE"] == {"Ref": "TagValue"}
