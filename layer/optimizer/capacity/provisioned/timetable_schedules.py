"""Puts the entries of timetables in place.

Where Application Auto Scaling owns the provisioned concurrency of an alias, an entry is a scheduled action, else a
schedule that calls provision_function. Schedules and actions without our names are never touched.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import (
    ApplicationAutoScalingClient,
    EventBridgeSchedulerClient,
    ScheduleTarget,
    delete_schedule,
    function_prefix,
    get_schedule,
    put_schedule,
    schedule_names,
)
from optimizer.capacity.live_function import SCALABLE_DIMENSION, LiveFunction, Placed
from optimizer.capacity.provisioned.amount import change_id_of
from optimizer.capacity.provisioned.timetable import Entry

_ACTION = re.compile(r"optimizer-([0-9a-f]{16})-(\d{2})")
_NAME_ENDS = re.compile(r"([0-9a-f]{16})-(\d{2})")


@dataclass(frozen=True, slots=True)
class PlacedTimetables:
    """The timetables of the account. Names are deterministic, so that a repeated step finds what it did before."""

    scheduler: "EventBridgeSchedulerClient"
    scaling: "ApplicationAutoScalingClient"
    schedules: ScheduleTarget

    def read(self, function_arn: str, alias: str, *, scaled: bool) -> Placed:
        """Return what is in place for an alias. scaled: Application Auto Scaling has a target for it."""
        entries: dict[str, set[int]] = {}
        for mark, number, _ in self._schedules(function_arn):
            entries.setdefault(mark, set()).add(number)
        team: list[str] = []
        tracked = False
        if scaled:
            resource = _resource(function_arn, alias)
            for name in self._actions(resource):
                ours = _ACTION.fullmatch(name)
                if ours:
                    entries.setdefault(ours[1], set()).add(int(ours[2]))
                else:
                    team.append(name)
            tracked = bool(
                self.scaling.describe_scaling_policies(
                    ServiceNamespace="lambda", ResourceId=resource, ScalableDimension=SCALABLE_DIMENSION
                )["ScalingPolicies"]
            )
        return Placed({mark: frozenset(numbers) for mark, numbers in entries.items()}, tuple(team), tracked)

    def put(self, live: LiveFunction, plan: str, number: int, entry: Entry, timezone: str) -> None:
        """Create the schedule of an entry; a repeated call changes nothing."""
        if live.scaling is None:
            put_schedule(self.scheduler, self._request(live, plan, number, entry, timezone))
            return
        self.scaling.put_scheduled_action(
            ServiceNamespace="lambda",
            ScheduledActionName=f"optimizer-{plan}-{number:02}",
            ResourceId=_resource(live.function_arn, live.alias),
            ScalableDimension=SCALABLE_DIMENSION,
            Schedule=entry.cron,
            Timezone=timezone,
            ScalableTargetAction={"MinCapacity": entry.environments},
        )

    def remove(self, live: LiveFunction, plan: str) -> None:
        """Delete the schedules of a timetable."""
        self.remove_schedules(live.function_arn, plan)
        if live.scaling is None:
            return
        resource = _resource(live.function_arn, live.alias)
        for name in list(self._actions(resource)):
            ours = _ACTION.fullmatch(name)
            if ours and ours[1] == plan:
                self._delete_action(resource, name)

    def remove_schedules(self, function_arn: str, plan: str) -> None:
        """Delete the schedules that call provision_function; scheduled actions end with the scaling target."""
        for mark, _, name in list(self._schedules(function_arn)):
            if mark == plan:
                delete_schedule(self.scheduler, self.schedules.group, name)

    def is_in_place(self, function_arn: str, plan: str, number: int) -> bool:
        """Return True while the schedule of an entry exists."""
        name = schedule_name(function_arn, plan, number)
        return get_schedule(self.scheduler, self.schedules.group, name) is not None

    def _schedules(self, function_arn: str) -> Iterator[tuple[str, int, str]]:
        prefix = function_prefix(function_arn)
        for name in schedule_names(self.scheduler, self.schedules.group, prefix):
            ours = _NAME_ENDS.fullmatch(name.removeprefix(prefix))
            if ours:
                yield ours[1], int(ours[2]), name

    def _actions(self, resource: str) -> Iterator[str]:
        pages = self.scaling.get_paginator("describe_scheduled_actions").paginate(
            ServiceNamespace="lambda", ResourceId=resource, ScalableDimension=SCALABLE_DIMENSION
        )
        for page in pages:
            for action in page["ScheduledActions"]:
                yield action["ScheduledActionName"]

    def _delete_action(self, resource: str, name: str) -> None:
        try:
            self.scaling.delete_scheduled_action(
                ServiceNamespace="lambda",
                ScheduledActionName=name,
                ResourceId=resource,
                ScalableDimension=SCALABLE_DIMENSION,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ObjectNotFoundException":
                raise

    def _request(self, live: LiveFunction, plan: str, number: int, entry: Entry, timezone: str) -> dict[str, Any]:
        event = {
            "function_name": live.function_name,
            "alias": live.alias,
            "change_id": change_id_of(plan),
            "entry": number,
            "environments": entry.environments,
        }
        return self.schedules.request(
            schedule_name(live.function_arn, plan, number),
            entry.cron,
            timezone,
            f"{entry.environments} provisioned for {live.function_name}:{live.alias}, {change_id_of(plan)}",
            json.dumps(event, sort_keys=True),
            # A late step sets what the timetable says for the moment in which it comes.
            {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 10},
        )


def schedule_name(function_arn: str, plan: str, number: int) -> str:
    """Return the name of the schedule of an entry: deterministic, at most 64 characters."""
    return f"{function_prefix(function_arn)}{plan}-{number:02}"


def _resource(function_arn: str, alias: str) -> str:
    return f"function:{function_arn.rpartition(':')[2]}:{alias}"
