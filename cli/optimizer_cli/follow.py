"""Follow an execution state by state, from its history."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

RUNNING = "RUNNING"


class StillRunning(TimeoutError):
    """The execution did not end in time; it goes on by itself."""


@dataclass(frozen=True, slots=True)
class StateEvent:
    """A state that was entered or left, `after_s` seconds after the execution began."""

    state: str
    entered: bool
    after_s: float


def states(sfn: "SFNClient", execution_arn: str, limit: timedelta, pause_s: float = 0.5) -> Iterator[StateEvent]:
    """Yield each state as it is entered and left, until the execution ends; raises StillRunning after `limit`."""
    deadline = datetime.now(UTC) + limit
    seen = 0
    started: datetime | None = None
    while True:
        # If the history were read first, events between the two reads would be missed.
        running = sfn.describe_execution(executionArn=execution_arn)["status"] == RUNNING
        events = _history(sfn, execution_arn)
        for event in events[seen:]:
            started = started or event["timestamp"]
            details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails")
            if details:
                yield StateEvent(
                    state=details["name"],
                    entered="stateEnteredEventDetails" in event,
                    after_s=(event["timestamp"] - started).total_seconds(),
                )
        seen = len(events)
        if not running:
            return
        if datetime.now(UTC) > deadline:
            raise StillRunning(f"{execution_arn} still runs after {limit.total_seconds():.0f} s; it goes on by itself")
        time.sleep(pause_s)


def _history(sfn: "SFNClient", execution_arn: str) -> list[dict[str, Any]]:
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    return [dict(event) for page in pages for event in page["events"]]
