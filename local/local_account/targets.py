"""Create the target functions in the emulator, as a team would have them, with the logs of their past."""

import io
import json
import zipfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from local_account.fleet import TargetFunction
from local_account.report_lines import history_lines, put_lines

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient

ROLE = "target-functions"
_HANDLER = Path(__file__).with_name("target_handler.py")
_EARLIEST_IN_ZIP = (1980, 1, 1, 0, 0, 0)


def create_targets(session: boto3.Session, targets: Iterable[TargetFunction], now: datetime) -> None:
    """Create functions, published versions, aliases, tags, scaling targets and REPORT lines up to `now`."""
    role_arn = _role_arn(session.client("iam"))
    client, logs, code = session.client("lambda"), session.client("logs"), _package()
    for target in targets:
        _create(client, target, role_arn, code)
        if target.scaled:
            _scale(session, target)
        put_lines(logs, target, history_lines(target, now))


def _scale(session: boto3.Session, target: TargetFunction) -> None:
    client = session.client("application-autoscaling")
    resource: dict[str, Any] = {
        "ServiceNamespace": "lambda",
        "ResourceId": f"function:{target.name}:{target.alias}",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }
    client.register_scalable_target(**resource, MinCapacity=1, MaxCapacity=10)
    if target.tracked:
        metric: Any = {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}
        client.put_scaling_policy(
            **resource,
            PolicyName="utilisation",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={"TargetValue": 0.7, "PredefinedMetricSpecification": metric},
        )


def _role_arn(iam: "IAMClient") -> str:
    try:
        return iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_trust()))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        return iam.get_role(RoleName=ROLE)["Role"]["Arn"]


def _create(client: "LambdaClient", target: TargetFunction, role_arn: str, code: bytes) -> None:
    client.create_function(
        FunctionName=target.name,
        Runtime="python3.13",
        Role=role_arn,
        Handler="app.handler",
        Code={"ZipFile": code},
        MemorySize=target.memory_mb,
        Timeout=target.timeout_s,
        Architectures=["arm64" if target.behaviour.curve.arch == "arm64" else "x86_64"],
        LoggingConfig={"LogFormat": "JSON" if target.json_logs else "Text"},
        Tags=dict(target.tags),
        Publish=bool(target.alias),
    )
    if target.alias:
        client.create_alias(FunctionName=target.name, Name=target.alias, FunctionVersion="1")


def _package() -> bytes:
    """Return the same bytes every time, so that the SHA-256 of the code is stable."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("app.py", _EARLIEST_IN_ZIP), _HANDLER.read_bytes())
    return packed.getvalue()


def _trust() -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}
