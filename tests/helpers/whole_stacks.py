"""Create the application's whole stack in a local account within seconds: its resources, and a stand-in for its code.

The expanded template is deployed as it is, but each function only answers CloudFormation. What the code does is not
tested here, but what CloudFormation makes, keeps and deletes.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from expanded_template import decided, expanded
from local_account.account import LocalAccount
from shipped_template import RESOURCES, ROOT

from tests.helpers.account_resources import names_by_kind
from tests.helpers.small_stacks import package

_WITHIN_S = 120.0
_BUCKET, _CODE, _TEMPLATE = "packages", "code.zip", "template.json"
_STAND_IN = """
import json, urllib.request

def handler(event, context):
    print("called")
    if isinstance(event, dict) and "ResponseURL" in event:
        answer = {"Status": "SUCCESS", "PhysicalResourceId": "leaving"}
        answer |= {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
        request = urllib.request.Request(event["ResponseURL"], data=json.dumps(answer).encode(), method="PUT")
        urllib.request.urlopen(request)
    return {}
"""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as it is now: the reasons of failures, its outputs, and its physical ids by logical id."""

    status: str
    failures: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)


class WholeStacks:
    """Stacks of the application in a local account, in one Region."""

    def __init__(self, account: LocalAccount, region: str) -> None:
        self.account, self.region = account, region
        self.cloudformation = self.client("cloudformation")
        s3 = self.client("s3")
        self._bucket = f"{_BUCKET}-{region}"
        s3.create_bucket(Bucket=self._bucket, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_object(Bucket=self._bucket, Key=_CODE, Body=package(_STAND_IN))
        s3.put_object(Bucket=self._bucket, Key=_TEMPLATE, Body=json.dumps(self._template()))

    def client(self, service: str) -> Any:
        """Return a client of this Region."""
        return self.account.session.client(service, region_name=self.region)

    def create(self, name: str, **parameters: str) -> Stack:
        """Create a stack and wait for its end."""
        self.cloudformation.create_stack(
            StackName=name,
            TemplateURL=f"{self.account.url}/{self._bucket}/{_TEMPLATE}",
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        return self._ended(name)

    def delete(self, name: str) -> Stack:
        """Delete a stack and wait for its end."""
        stack = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=name)
        return self._ended(stack)

    def _ended(self, name: str) -> Stack:
        deadline = time.monotonic() + _WITHIN_S
        while (found := self._described(name))["StackStatus"].endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]
        reasons = [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]
        resources = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return Stack(
            found["StackStatus"],
            " | ".join(reasons),
            {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])},
            {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources},
        )

    def _described(self, name: str) -> Any:
        return self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]

    def _template(self) -> dict[str, Any]:
        template = expanded()
        code = {"S3Bucket": self._bucket, "S3Key": _CODE}
        for logical_id, resource in template["Resources"].items():
            own = resource.get("Properties", {})
            match resource["Type"]:
                case "AWS::Lambda::Function":
                    # The stand-in runs on this machine's processor.
                    own |= {"Code": code, "Architectures": ["x86_64"]}
                case "AWS::Lambda::LayerVersion":
                    own["Content"] = code
                case "AWS::StepFunctions::StateMachine":
                    del own["DefinitionS3Location"]
                    own["DefinitionString"] = (ROOT / RESOURCES[logical_id]["Properties"]["DefinitionUri"]).read_text()
        return template


def logical_ids(region: str, **parameters: str) -> set[str]:
    """Return the logical ids of the resources that a stack with these parameters has."""
    return set(decided(expanded(), region, parameters)["Resources"])


def left_of(stacks: WholeStacks, stack: str) -> dict[str, list[str]]:
    """Return the resources that carry the stack's name, by the kind of their listing, without kinds that have none."""
    found = names_by_kind(stacks.client, "GroupName")
    own = {what: [one for one in names if f"{stack}-" in one] for what, names in found.items()}
    return {what: names for what, names in own.items() if names}
