"""MiniStack 1.5.33 takes the time of a one-time schedule for UTC. Here it is one of the schedule's own time zone."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ministack.services import scheduler


class LocalTime(str):
    """A schedule expression that knows its time zone."""

    __slots__ = ("zone",)
    zone: str


def put_right() -> None:
    """Replace how the emulator stores a schedule's expression and reads its time."""
    create, epoch_of = scheduler._create_schedule, scheduler._at_time_epoch

    def create_schedule(name: str, body: dict[str, Any]) -> Any:
        expression = LocalTime(body.get("ScheduleExpression", ""))
        expression.zone = body.get("ScheduleExpressionTimezone", "UTC")
        return create(name, {**body, "ScheduleExpression": expression})

    def at_time_epoch(expression: str) -> float | None:
        utc: float | None = epoch_of(expression)
        if utc is None or not isinstance(expression, LocalTime):
            return utc
        return datetime.fromisoformat(expression[3:-1]).replace(tzinfo=ZoneInfo(expression.zone)).timestamp()

    scheduler._create_schedule = create_schedule
    scheduler._at_time_epoch = at_time_epoch
