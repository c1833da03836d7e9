"""One line of `optimizer doctor`, and the stack that it looks at."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "UnauthorizedOperation",
    "AuthorizationErrorException",
)


class Health(StrEnum):
    """The result of a check. NOTE: nothing is wrong, but a person should know. UNKNOWN: it could not be checked."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with what a person can do about it."""

    check: str
    health: Health
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """The deployed stack. `resources` maps each type to its resources: physical ids by logical id."""

    name: str
    region: str
    status: str
    outputs: Mapping[str, str]
    resources: Mapping[str, Mapping[str, str]]
    client: Callable[[str], Any] = field(default=boto3.client, repr=False)

    @classmethod
    def find(cls, name: str, client: Callable[[str], Any] = boto3.client) -> "Stack | None":
        """Read the stack; None if there is no stack of this name in the account and Region."""
        cloudformation = client("cloudformation")
        try:
            (described,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        resources: dict[str, dict[str, str]] = {}
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
            for resource in page["StackResourceSummaries"]:
                of_type = resources.setdefault(resource["ResourceType"], {})
                of_type[resource["LogicalResourceId"]] = resource.get("PhysicalResourceId", "")
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        region = cloudformation.meta.region_name
        return cls(name, region, described["StackStatus"], outputs, resources, client)


type Check = Callable[[Stack], Iterator[Finding]]


def run(checks: Iterable[Check], stack: Stack) -> Iterator[Finding]:
    """Yield the findings of all checks; what AWS refuses to tell is a finding, too."""
    for check in checks:
        name = check.__name__.strip("_").replace("_", " ")
        try:
            yield from check(stack)
        except ClientError as error:
            code, operation = error.response["Error"]["Code"], error.operation_name
            message = f"AWS refused {operation}: {code}."
            remedy = f"Allow {operation} to the role that you use." if code in _DENIED else ""
            yield Finding(name, Health.UNKNOWN, message, remedy)
        except KeyError as missing:
            message = f"The stack has no output or resource {missing}."
            yield Finding(name, Health.UNKNOWN, message, "Deploy the version of this command: docs/upgrade.md.")
        except BotoCoreError as error:
            yield Finding(name, Health.UNKNOWN, f"AWS could not be reached: {error}")
