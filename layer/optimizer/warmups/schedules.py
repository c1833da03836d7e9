"""One-time schedules of EventBridge Scheduler: the form of a ping that is to come, and the group they live in.

A name tells the function, the plan and the minute: FUNCTION-DIGEST-PLAN-YYYYmmddTHHMM-ENVIRONMENTS, at most 64
characters, the minute in UTC. So applying a plan twice creates each schedule once, and a listing by prefix says
what is there without reading each.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from optimizer.core import Warmup, moment_of

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

_READABLE = 16
_DIGEST = 8
_ID_PREFIX = "warmups-"


class ScheduleDiffers(RuntimeError):
    """A schedule of this name exists with other content: someone else wrote it."""


@dataclass(frozen=True, slots=True)
class PingDelivery:
    """What every schedule needs to call warm_function."""

    group: str
    role_arn: str
    warm_function_arn: str
    dead_letters_arn: str = ""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule as its name tells it. plan: `plan_mark` of its Change. minute: since 1970."""

    name: str
    plan: str
    minute: int
    environments: int


def function_prefix(target: str) -> str:
    """How the names of all schedules of a target (a function's ARN) begin; no other target's begin so."""
    readable = target.rpartition(":")[2][:_READABLE]
    return f"{readable}-{hashlib.sha256(target.encode()).hexdigest()[:_DIGEST]}-"


def plan_mark(change_id: str) -> str:
    """What stands for a Change of this tuner in the names of its schedules."""
    return change_id.removeprefix(_ID_PREFIX)


def change_id_of(plan: str) -> str:
    """`plan_mark` read back."""
    return _ID_PREFIX + plan


def schedule_name(target: str, change_id: str, minute: int, environments: int) -> str:
    """Deterministic, at most 64 characters."""
    at = moment_of(minute).strftime("%Y%m%dT%H%M")
    return f"{function_prefix(target)}{plan_mark(change_id)}-{at}-{environments}"


def read_name(name: str, prefix: str) -> Scheduled | None:
    """What the name of a schedule tells, or None if it is not one of this application's."""
    parts = name.removeprefix(prefix).split("-")
    if not name.startswith(prefix) or len(parts) != 3 or not parts[2].isdigit():
        return None
    try:
        at = datetime.strptime(parts[1], "%Y%m%dT%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None
    return Scheduled(name, parts[0], int(at.timestamp() // 60), int(parts[2]))


def expression(minute: int, timezone: str) -> tuple[str, str]:
    """ScheduleExpression and its time zone: the target's own, so that people read local times; UTC for a local time
    that the day has twice, because clocks go back."""
    local = moment_of(minute, ZoneInfo(timezone))
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    at, zone = (local.astimezone(UTC), "UTC") if twice else (local, timezone)
    return f"at({at.strftime('%Y-%m-%dT%H:%M:%S')})", zone


def request(delivery: PingDelivery, target: str, warmup: Warmup, timezone: str) -> dict[str, Any]:
    """The CreateSchedule request of a ping of the plan."""
    if warmup.minute is None:
        raise ValueError("a scheduled ping needs its minute")
    when, zone = expression(warmup.minute, timezone)
    event = {
        "function_name": warmup.function_name,
        "alias": warmup.alias,
        "environments": warmup.environments,
        "hold_ms": warmup.hold_ms,
        "run_id": warmup.run_id,
        "change_id": warmup.change_id,
        "minute": warmup.minute,
    }
    name = schedule_name(target, warmup.change_id, warmup.minute, warmup.environments)
    content = json.dumps(event, sort_keys=True)
    return {
        "GroupName": delivery.group,
        "Name": name,
        "ClientToken": hashlib.sha256(f"{name} {when} {zone} {content}".encode()).hexdigest(),
        "Description": f"Warm-up of {warmup.function_name}:{warmup.alias}, {warmup.change_id}",
        "ScheduleExpression": when,
        "ScheduleExpressionTimezone": zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": delivery.warm_function_arn,
            "RoleArn": delivery.role_arn,
            "Input": content,
            # A ping that comes minutes late is of no use.
            "RetryPolicy": {"MaximumEventAgeInSeconds": 120, "MaximumRetryAttempts": 1},
            **({"DeadLetterConfig": {"Arn": delivery.dead_letters_arn}} if delivery.dead_letters_arn else {}),
        },
    }


def put(scheduler: "EventBridgeSchedulerClient", wanted: Mapping[str, Any]) -> None:
    """Create the schedule, or find it created already; ScheduleDiffers if another one has its name."""
    try:
        scheduler.create_schedule(**wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        there: Any = _get(scheduler, wanted["GroupName"], wanted["Name"])
        if there is None:
            return
        same = ("ScheduleExpression", "ScheduleExpressionTimezone")
        if any(there.get(name) != wanted[name] for name in same) or any(
            there["Target"].get(name) != wanted["Target"][name] for name in ("Arn", "RoleArn", "Input")
        ):
            raise ScheduleDiffers(f"schedule {wanted['Name']} exists with other content; delete it by hand") from error


def remove(scheduler: "EventBridgeSchedulerClient", group: str, name: str) -> None:
    """Delete the schedule if it is still there."""
    try:
        scheduler.delete_schedule(GroupName=group, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def listed(scheduler: "EventBridgeSchedulerClient", group: str, target: str) -> Iterator[Scheduled]:
    """The schedules of the target in the group, of all plans."""
    prefix = function_prefix(target)
    for page in scheduler.get_paginator("list_schedules").paginate(GroupName=group, NamePrefix=prefix):
        for schedule in page["Schedules"]:
            found = read_name(schedule["Name"], prefix)
            if found is not None:
                yield found


def _get(scheduler: "EventBridgeSchedulerClient", group: str, name: str) -> Any:
    try:
        return scheduler.get_schedule(GroupName=group, Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
