"""Schedules of EventBridge Scheduler, one-time and recurring, created and deleted so that calls may be repeated."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws.client_types import EventBridgeSchedulerClient
from optimizer.core import OptimizerError

_READABLE = 16
_DIGEST = 8


class ScheduleDiffers(OptimizerError, RuntimeError):
    """A schedule of this name exists with other content: someone else wrote it."""


@dataclass(frozen=True, slots=True)
class ScheduleTarget:
    """The group in which schedules live, and what each needs to call its Lambda. Reading takes the group alone."""

    group: str
    role_arn: str = ""
    function_arn: str = ""
    dead_letters_arn: str = ""

    def request(
        self, name: str, expression: str, timezone: str, description: str, content: str, retries: Mapping[str, int]
    ) -> dict[str, Any]:
        """Return the CreateSchedule request. `content`: the event, as JSON. `retries`: its RetryPolicy."""
        token = hashlib.sha256(f"{name} {expression} {timezone} {content}".encode()).hexdigest()
        return {
            "GroupName": self.group,
            "Name": name,
            "ClientToken": token,
            "Description": description,
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": timezone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": self.function_arn,
                "RoleArn": self.role_arn,
                "Input": content,
                "RetryPolicy": dict(retries),
                **({"DeadLetterConfig": {"Arn": self.dead_letters_arn}} if self.dead_letters_arn else {}),
            },
        }


def function_prefix(target: str) -> str:
    """Return how the names of all schedules of a function (its ARN) begin; no other function's begin so."""
    readable = target.rpartition(":")[2][:_READABLE]
    return f"{readable}-{hashlib.sha256(target.encode()).hexdigest()[:_DIGEST]}-"


def put_schedule(scheduler: "EventBridgeSchedulerClient", wanted: Mapping[str, Any]) -> None:
    """Create the schedule, or find it created already; raise ScheduleDiffers if another one has its name."""
    try:
        scheduler.create_schedule(**wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        there = get_schedule(scheduler, wanted["GroupName"], wanted["Name"])
        if there is None:
            return
        same = ("ScheduleExpression", "ScheduleExpressionTimezone")
        if any(there.get(name) != wanted[name] for name in same) or any(
            there["Target"].get(name) != wanted["Target"][name] for name in ("Arn", "RoleArn", "Input")
        ):
            raise ScheduleDiffers(f"schedule {wanted['Name']} exists with other content; delete it by hand") from error


def delete_schedule(scheduler: "EventBridgeSchedulerClient", group: str, name: str) -> None:
    """Delete the schedule if it still exists."""
    try:
        scheduler.delete_schedule(GroupName=group, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def schedule_names(scheduler: "EventBridgeSchedulerClient", group: str, prefix: str) -> Iterator[str]:
    """Yield the names of the schedules in the group that begin so."""
    for page in scheduler.get_paginator("list_schedules").paginate(GroupName=group, NamePrefix=prefix):
        for schedule in page["Schedules"]:
            yield schedule["Name"]


def get_schedule(scheduler: "EventBridgeSchedulerClient", group: str, name: str) -> Any:
    """Return the schedule as GetSchedule has it, or None if it does not exist."""
    try:
        return scheduler.get_schedule(GroupName=group, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
