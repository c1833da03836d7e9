"""The options of companies, all at once, as the resources of a stack in the local account have them."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from local_account.account import ACCOUNT_ID, LocalAccount
from local_account.fleet import FleetSource
from shipped_template import of_type

from tests.helpers.documents import documents_in_json
from tests.helpers.whole_stacks import Stack, WholeStacks

pytestmark = [pytest.mark.slow, pytest.mark.starts_servers]
NAME = "company"
PATH = "/teams/optimizer/"
CONNECTS = {"plan_cache_ttls", "plan_index_maintenance", "change_indexes", "change_cache_ttls"}


@dataclass(frozen=True, slots=True)
class Company:
    """The stack, and what its parameters were."""

    stacks: WholeStacks
    stack: Stack
    key: str
    boundary: str
    subnet: str
    group: str

    def client(self, service: str) -> Any:
        return self.stacks.client(service)


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    with LocalAccount(FleetSource(datetime.now(UTC), functions=1), wait_scale=0.01, targets=False) as account:
        stacks = WholeStacks(account, "eu-central-1")
        key, boundary = make_key(stacks), make_boundary(stacks)
        subnet, group = make_network(stacks)
        parameters = {
            "PermissionsBoundaryArn": boundary,
            "RolePath": PATH,
            "KmsKeyArn": key,
            "TableDeletionProtection": "true",
            "VpcSubnetIds": subnet,
            "VpcSecurityGroupIds": group,
            "PublicPages": "none",
        }
        yield Company(stacks, stacks.create(NAME, **parameters), key, boundary, subnet, group)


def make_key(stacks: WholeStacks) -> str:
    """Create a key with the key policy that docs/deploy.md shows."""
    (policy,) = [shown.text for shown in documents_in_json() if shown.file == "deploy.md" and "kms:*" in shown.text]
    assert ACCOUNT_ID in policy
    arn: str = stacks.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    return arn


def make_boundary(stacks: WholeStacks) -> str:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    made = stacks.client("iam").create_policy(PolicyName="boundary", PolicyDocument=json.dumps(document))
    arn: str = made["Policy"]["Arn"]
    return arn


def make_network(stacks: WholeStacks) -> tuple[str, str]:
    ec2 = stacks.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="databases", Description="databases")["GroupId"]
    return subnet, group


def test_the_stack_is_complete(company: Company) -> None:
    assert (company.stack.status, company.stack.failures) == ("CREATE_COMPLETE", "")


def test_every_role_has_the_boundary_and_the_path(company: Company) -> None:
    pages = company.client("iam").get_paginator("list_roles").paginate()
    names = [role["RoleName"] for page in pages for role in page["Roles"] if role["RoleName"].startswith(f"{NAME}-")]
    roles = [company.client("iam").get_role(RoleName=name)["Role"] for name in names]
    assert len(roles) > 20
    assert {role["Path"] for role in roles} == {PATH}
    assert {role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") for role in roles} == {company.boundary}


def test_every_managed_policy_has_the_path(company: Company) -> None:
    pages = company.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    own = [one for page in pages for one in page["Policies"] if one["PolicyName"].startswith(f"{NAME}-")]
    assert len(own) == 2
    assert {one["Path"] for one in own} == {PATH}


def test_the_key_encrypts_all_that_is_kept(company: Company) -> None:
    ids, outputs = company.stack.ids, company.stack.outputs
    table = company.client("dynamodb").describe_table(TableName=ids["Table"])["Table"]
    assert table["SSEDescription"]["KMSMasterKeyArn"] == company.key
    bucket = company.client("s3").get_bucket_encryption(Bucket=ids["Bucket"])
    (rule,) = bucket["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == company.key
    for topic in ("TopicArn", "ProgramsTopicArn"):
        attributes = company.client("sns").get_topic_attributes(TopicArn=outputs[topic])["Attributes"]
        assert attributes["KmsMasterKeyId"] == company.key
    queue = company.client("sqs").get_queue_attributes(
        QueueUrl=ids["WarmupDeadLetters"], AttributeNames=["KmsMasterKeyId"]
    )
    assert queue["Attributes"]["KmsMasterKeyId"] == company.key
    pages = company.client("logs").get_paginator("describe_log_groups").paginate()
    groups = [group for page in pages for group in page["logGroups"] if f"/{NAME}-" in group["logGroupName"]]
    assert {group["logGroupName"] for group in groups} == {ids[name] for name in of_type("AWS::Logs::LogGroup")}
    assert {group.get("kmsKeyId") for group in groups} == {company.key}
    assert "TopicKey" not in ids


def test_nobody_can_delete_the_table(company: Company) -> None:
    dynamodb = company.client("dynamodb")
    table = company.stack.ids["Table"]
    assert dynamodb.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True
    with pytest.raises(dynamodb.exceptions.ClientError):
        dynamodb.delete_table(TableName=table)


def test_functions_that_connect_are_in_the_network(company: Company) -> None:
    lambda_ = company.client("lambda")
    pages = lambda_.get_paginator("list_functions").paginate()
    inside = {
        function["FunctionName"]: (function["VpcConfig"]["SubnetIds"], function["VpcConfig"]["SecurityGroupIds"])
        for page in pages
        for function in page["Functions"]
        if function.get("VpcConfig", {}).get("SubnetIds")
    }
    assert inside == {f"{NAME}-{name}": ([company.subnet], [company.group]) for name in CONNECTS}


def test_the_stack_can_be_deleted_and_its_table_stays(company: Company) -> None:
    assert company.stacks.delete(NAME).status == "DELETE_COMPLETE"
    time.sleep(1)
    assert company.stack.ids["Table"] in company.client("dynamodb").list_tables()["TableNames"]
