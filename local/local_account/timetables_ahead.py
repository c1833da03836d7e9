"""Read the provisioned concurrency that schedules of timetables will set in the days ahead.

The observation of a change reads time that is still to come, so its metrics must show the environments of that time.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from optimizer.capacity.provisioned import DAYS, Timetable

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

_GROUP = re.compile(r".+-timetables")
_CRON = re.compile(r"cron\((\d+) (\d+) \? \* (\*|[A-Z,]+) \*\)")
_AHEAD = timedelta(days=9)
_LONGEST_NAME = 16
_MAX_AGE_S = 2.0


class TimetablesAhead:
    """A reader of the schedules of all groups of timetables in the account."""

    def __init__(self, scheduler: "EventBridgeSchedulerClient") -> None:
        self._scheduler = scheduler
        self._looked, self._listed = float("-inf"), list[tuple[str, str]]()
        self._known: dict[tuple[str, str], dict[str, Any]] = {}

    def of(self, function_name: str, now: datetime) -> list[tuple[datetime, int]]:
        """Return the start and number of environments held in the next days, by time; empty without a timetable."""
        timetable = self._timetable(function_name)
        if timetable is None:
            return []
        start = now.astimezone(UTC).replace(second=0, microsecond=0)
        held = timetable.held_minutes(start, start + _AHEAD)
        changed = (n for n, (before, after) in enumerate(pairwise(held), 1) if before != after)
        return [(start + timedelta(minutes=n), held[n]) for n in changed]

    def _timetable(self, function_name: str) -> Timetable | None:
        entries = list(self._entries(function_name))
        if not entries:
            return None
        return Timetable.from_document({"timezone": entries[0][0], "entries": [entry for _, entry in entries]})

    def _entries(self, function_name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        prefix = f"{function_name[:_LONGEST_NAME]}-"
        for group, name in self._names():
            if not name.startswith(prefix):
                continue
            schedule = self._read(group, name)
            event = json.loads(schedule["Target"]["Input"])
            found = _CRON.fullmatch(schedule["ScheduleExpression"])
            if found and event["function_name"] == function_name:
                minute, hour, days = found.groups()
                yield (
                    schedule["ScheduleExpressionTimezone"],
                    {
                        "days": list(DAYS) if days == "*" else days.split(","),
                        "at": f"{int(hour):02}:{int(minute):02}",
                        "environments": event["environments"],
                    },
                )

    def _names(self) -> list[tuple[str, str]]:
        """Return group and name of every schedule of a timetable; they are listed once for all functions."""
        if time.monotonic() - self._looked >= _MAX_AGE_S:
            groups = [group["Name"] for group in self._scheduler.list_schedule_groups()["ScheduleGroups"]]
            self._listed = [
                (group, schedule["Name"])
                for group in groups
                if _GROUP.fullmatch(group)
                for schedule in self._scheduler.list_schedules(GroupName=group)["Schedules"]
            ]
            self._looked = time.monotonic()
        return self._listed

    def _read(self, group: str, name: str) -> dict[str, Any]:
        """Return a schedule; it is read once, because schedules of timetables never change."""
        if (group, name) not in self._known:
            found: Any = self._scheduler.get_schedule(GroupName=group, Name=name)
            self._known[group, name] = found
        return self._known[group, name]
