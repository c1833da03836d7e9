"""Move the times of deployed schedules; everything else stays as the application made it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from local_account.deploy import STACK

# The group of the stack's own schedules, which start runs.
RUNS = f"{STACK}-runs"
_KEPT = ("Name", "GroupName", "FlexibleTimeWindow", "Target", "State")


def schedules(scheduler: Any, group: str) -> Iterator[Mapping[str, Any]]:
    """Yield the schedules of a group."""
    for page in scheduler.get_paginator("list_schedules").paginate(GroupName=group):
        for listed in page["Schedules"]:
            yield scheduler.get_schedule(GroupName=group, Name=listed["Name"])


def fire(scheduler: Any, schedule: Mapping[str, Any]) -> None:
    """Let a schedule come due in a moment, once."""
    due = datetime.now(UTC) + timedelta(seconds=2)
    _move(scheduler, schedule, f"at({due:%Y-%m-%dT%H:%M:%S})")


def postpone(scheduler: Any, group: str) -> None:
    """Move the schedules of a group away from now, so that none comes due in the middle of a test."""
    later = datetime.now(UTC) + timedelta(hours=12)
    for schedule in list(schedules(scheduler, group)):
        _move(scheduler, schedule, f"cron({later.minute} {later.hour} * * ? *)")


def _move(scheduler: Any, schedule: Mapping[str, Any], expression: str) -> None:
    kept = {name: schedule[name] for name in _KEPT if name in schedule}
    scheduler.update_schedule(**kept, ScheduleExpression=expression)
