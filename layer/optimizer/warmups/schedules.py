"""One-time schedules of EventBridge Scheduler, one for each ping.

The name of a schedule holds the function, the plan and the minute in UTC:
FUNCTION-DIGEST-PLAN-YYYYmmddTHHMM-ENVIRONMENTS, at most 64 characters. So applying a plan twice creates each schedule
once, and a listing by prefix tells which schedules exist without reading each of them.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from optimizer.aws import EventBridgeSchedulerClient, ScheduleTarget, function_prefix, schedule_names
from optimizer.core import Warmup, moment_of

_ID_PREFIX = "warmups-"
# The end of the name of a step of a timetable, as capacity/provisioned/timetable_schedules.py writes it.
_STEP = re.compile(r"([0-9a-f]{16})-\d{2}")


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule, described by its name."""

    name: str
    # The `plan_mark` of its change.
    plan: str
    # Since 1970.
    minute: int
    environments: int


def plan_mark(change_id: str) -> str:
    """Return the mark of a warm-up change in the names of its schedules."""
    return change_id.removeprefix(_ID_PREFIX)


def change_id_of(plan: str) -> str:
    """Return the id of the change with this `plan_mark`."""
    return _ID_PREFIX + plan


def schedule_name(target: str, change_id: str, minute: int, environments: int) -> str:
    """Return the name of a ping's schedule: the same for the same ping, at most 64 characters."""
    at = moment_of(minute).strftime("%Y%m%dT%H%M")
    return f"{function_prefix(target)}{plan_mark(change_id)}-{at}-{environments}"


def read_name(name: str, prefix: str) -> Scheduled | None:
    """Return the schedule that a name describes, or None if it is not one of this application's."""
    parts = name.removeprefix(prefix).split("-")
    if not name.startswith(prefix) or len(parts) != 3 or not parts[2].isdigit():
        return None
    try:
        at = datetime.strptime(parts[1], "%Y%m%dT%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None
    return Scheduled(name, parts[0], int(at.timestamp() // 60), int(parts[2]))


def expression(minute: int, timezone: str) -> tuple[str, str]:
    """Return the ScheduleExpression and its time zone.

    The time zone is that of the function, so that people read local times. It is UTC for a local time that the day has
    twice because clocks go back.
    """
    local = moment_of(minute, ZoneInfo(timezone))
    is_ambiguous = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    at, zone = (local.astimezone(UTC), "UTC") if is_ambiguous else (local, timezone)
    return f"at({at.strftime('%Y-%m-%dT%H:%M:%S')})", zone


def request(schedules: ScheduleTarget, target: str, warmup: Warmup, timezone: str) -> dict[str, Any]:
    """Return the CreateSchedule request of a ping; raise ValueError if the ping has no minute."""
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
        "callers": warmup.callers,
        "keep_free": warmup.keep_free,
    }
    name = schedule_name(target, warmup.change_id, warmup.minute, warmup.environments)
    wanted = schedules.request(
        name,
        when,
        zone,
        f"Warm-up of {warmup.function_name}:{warmup.alias}, {warmup.change_id}",
        json.dumps(event, sort_keys=True),
        # A ping that arrives minutes late is of no use.
        {"MaximumEventAgeInSeconds": 120, "MaximumRetryAttempts": 1},
    )
    return wanted | {"ActionAfterCompletion": "DELETE"}


def list_schedules(scheduler: "EventBridgeSchedulerClient", group: str, target: str) -> Iterator[Scheduled]:
    """Yield the schedules of a function in the group, of all its plans."""
    yield from schedules_in_place(scheduler, group, target)[0]


def schedules_in_place(
    scheduler: "EventBridgeSchedulerClient", group: str, target: str
) -> tuple[list[Scheduled], frozenset[str]]:
    """Return the scheduled pings of a function, and the marks of its timetables of provisioned concurrency."""
    prefix = function_prefix(target)
    names = list(schedule_names(scheduler, group, prefix))
    pings = [found for name in names if (found := read_name(name, prefix)) is not None]
    steps = [step[1] for name in names if (step := _STEP.fullmatch(name.removeprefix(prefix)))]
    return pings, frozenset(steps)
