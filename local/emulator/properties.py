"""Keep properties of a stack's resources that MiniStack 1.5.33 forgets as it creates them.

These are the permissions boundary of a role, which IAM then enforces, the network of a function, and the keys of a
table, a bucket and a topic.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import dynamodb, iam, lambda_svc, s3, sns
from ministack.services.cloudformation import provisioners


def patch() -> None:
    """Replace how the emulator creates these types of resources."""
    _afterwards("AWS::IAM::Role", _bound)
    _afterwards("AWS::Lambda::Function", _connect)
    _afterwards("AWS::DynamoDB::Table", _encrypt_table)
    _afterwards("AWS::S3::Bucket", _encrypt_bucket)
    _afterwards("AWS::SNS::Topic", _encrypt_topic)


def _afterwards(kind: str, keep: Callable[[str, dict[str, Any]], None]) -> None:
    handler = provisioners._RESOURCE_HANDLERS[kind]
    create = handler["create"]

    def create_and_keep(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name, attributes = create(logical_id, properties, stack)
        keep(name, properties)
        return name, attributes

    handler["create"] = create_and_keep


def _bound(name: str, properties: dict[str, Any]) -> None:
    if boundary := properties.get("PermissionsBoundary"):
        iam._roles[name]["PermissionsBoundary"] = boundary


def _connect(name: str, properties: dict[str, Any]) -> None:
    if network := properties.get("VpcConfig"):
        lambda_svc._functions[name]["config"]["VpcConfig"] = lambda_svc._vpc_config_with_id(network)


def _encrypt_table(name: str, properties: dict[str, Any]) -> None:
    if wanted := properties.get("SSESpecification"):
        # CloudFormation has another word for it than DynamoDB.
        specification = {**wanted, "Enabled": wanted["SSEEnabled"]}
        dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(specification)


def _encrypt_bucket(name: str, properties: dict[str, Any]) -> None:
    rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    for rule in rules:
        wanted = "".join(f"<{key}>{value}</{key}>" for key, value in rule["ServerSideEncryptionByDefault"].items())
        given = f"<ApplyServerSideEncryptionByDefault>{wanted}</ApplyServerSideEncryptionByDefault>"
        own = f"<ServerSideEncryptionConfiguration><Rule>{given}</Rule></ServerSideEncryptionConfiguration>"
        s3._put_bucket_encryption(name, own.encode())


def _encrypt_topic(arn: str, properties: dict[str, Any]) -> None:
    if key := properties.get("KmsMasterKeyId"):
        sns._topics[arn]["attributes"]["KmsMasterKeyId"] = key
