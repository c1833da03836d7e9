"""Create and delete the schedules of a plan, several at once, for as long as there is time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from optimizer.aws import EventBridgeSchedulerClient, ScheduleTarget, delete_schedule, put_schedule
from optimizer.core import Change, Warmup, minute_of
from optimizer.warmups import schedules
from optimizer.warmups.ping_rows import unpack
from optimizer.warmups.schedules import Scheduled

_AT_ONCE = 8
_CHUNK = 64


def pings_of(change: Change) -> list[tuple[int, int]]:
    """Return the pings of the plan: minutes since 1970 and environments."""
    first = minute_of(datetime.fromisoformat(change.after["from"]))
    return [(first + minute, environments) for minute, environments in unpack(change.after["schedule"])]


def warmup_of(change: Change, minute: int, environments: int) -> Warmup:
    """Return the ping of one minute."""
    return Warmup(
        function_name=change.target.rpartition(":")[2],
        alias=change.after["alias"],
        environments=environments,
        hold_ms=change.after["hold_ms"],
        run_id=change.run_id,
        change_id=change.id,
        minute=minute,
    )


def create(
    scheduler: "EventBridgeSchedulerClient",
    schedule_target: ScheduleTarget,
    change: Change,
    start: int,
    now: datetime,
    about_to_create: Callable[[int], None],
    time_left: Callable[[], bool],
) -> bool:
    """Create the schedules from number `start` on, except those in the past. Return False if time runs out.

    `about_to_create` receives the number of the next schedule before it is created.
    """
    pings = pings_of(change)
    for at in range(start, len(pings), _CHUNK):
        if not time_left():
            return False
        about_to_create(at)
        requests = [
            schedules.request(
                schedule_target, change.target, warmup_of(change, minute, count), change.after["timezone"]
            )
            for minute, count in pings[at : at + _CHUNK]
            if minute > minute_of(now)
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda request: put_schedule(scheduler, request), requests))
    return True


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
