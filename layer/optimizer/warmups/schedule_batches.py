"""Create and delete the schedules of a plan, several at once, for as long as there is time."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import EventBridgeSchedulerClient, ScheduleTarget, delete_schedule, put_schedule
from optimizer.core import KEEP_FREE, Change, OptimizerError, Warmup, minute_of
from optimizer.warmups import schedules
from optimizer.warmups.schedules import Scheduled
from optimizer.warmups.sending.ping_rows import unpack

_log = logging.getLogger(__name__)
_AT_ONCE = 8
_CHUNK = 64


class SchedulesRefused(OptimizerError, RuntimeError):
    """EventBridge Scheduler refused all schedules of a chunk, for another reason than their time."""


def pings_of(change: Change) -> list[tuple[int, int]]:
    """Return the pings of the plan: minutes since 1970 and environments."""
    first = minute_of(datetime.fromisoformat(change.after["from"]))
    return [(first + minute, environments) for minute, environments in unpack(change.after["schedule"])]


def warmup_of(change: Change, minute: int, environments: int, callers: int = 0, keep_free: int = KEEP_FREE) -> Warmup:
    """Return the ping of one minute."""
    return Warmup(
        function_name=change.target.rpartition(":")[2],
        alias=change.after["alias"],
        environments=environments,
        hold_ms=change.after["hold_ms"],
        run_id=change.run_id,
        change_id=change.id,
        minute=minute,
        callers=callers,
        keep_free=keep_free,
    )


def create(
    scheduler: "EventBridgeSchedulerClient",
    schedule_target: ScheduleTarget,
    change: Change,
    warmups: Sequence[Warmup],
    start: int,
    clock: Callable[[], datetime],
    about_to_create: Callable[[int], None],
    time_left: Callable[[], bool],
) -> bool:
    """Create the schedules of `warmups` from number `start` on, except those in the past; False if time runs out.

    `about_to_create` receives the number of the next schedule before it is created. A call works for minutes, so the
    clock is asked again before each chunk. A schedule that EventBridge Scheduler refuses, because its time has passed
    on the way, is left out; where it refuses all of a chunk for another reason, SchedulesRefused is raised.
    """
    for at in range(start, len(warmups), _CHUNK):
        if not time_left():
            return False
        about_to_create(at)
        now = minute_of(clock())
        ahead = [(warmup.minute or 0, warmup) for warmup in warmups[at : at + _CHUNK] if (warmup.minute or 0) > now]
        requests = [
            schedules.request(schedule_target, change.target, warmup, change.after["timezone"]) for _, warmup in ahead
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(lambda request: _refusal(scheduler, request), requests))
        refused = [why for (minute, _), why in zip(ahead, answers, strict=True) if why and minute > minute_of(clock())]
        if refused and len(refused) == len(ahead):
            raise SchedulesRefused(f"EventBridge Scheduler refused {len(refused)} schedules: {refused[0]}")
        for why in refused:
            _log.warning("A ping of %s is left out: EventBridge Scheduler refused its schedule: %s", change.id, why)
    return True


def _refusal(scheduler: "EventBridgeSchedulerClient", request: Mapping[str, Any]) -> str:
    """Create the schedule; return why it was refused, or an empty text."""
    try:
        put_schedule(scheduler, request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return error.response["Error"].get("Message", "") or "it is not valid"
    return ""


def remove(
    scheduler: "EventBridgeSchedulerClient",
    group: str,
    target: str,
    unwanted: Callable[[Scheduled], bool],
    time_left: Callable[[], bool],
) -> bool:
    """Delete schedules until a listing shows nothing new to delete. Return False if time runs out."""
    deleted: set[str] = set()
    while True:
        names = [
            schedule.name
            for schedule in schedules.list_schedules(scheduler, group, target)
            if unwanted(schedule) and schedule.name not in deleted
        ]
        if not names:
            return True
        for at in range(0, len(names), _CHUNK):
            if not time_left():
                return False
            chunk = names[at : at + _CHUNK]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(lambda name: delete_schedule(scheduler, group, name), chunk))
            deleted.update(chunk)
