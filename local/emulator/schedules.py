"""Correct times and lists of schedules.

MiniStack 1.5.33 reads the time of a schedule as UTC; here it is in the schedule's own time zone. MiniStack lists only
the first hundred schedules; here the others follow with a token, as on AWS. An at() that has passed may be refused; no
source settles it: switch `at_in_the_past`. A schedule that was updated comes due by its new expression alone.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, scheduler
from switched import switches

_PAGE = 100
_EVERY = 10**9


class LocalTime(str):
    """A schedule expression that knows its time zone."""

    __slots__ = ("zone",)
    zone: str


class LocalFields(tuple[Any, ...]):
    """The fields of a cron expression that know their time zone."""

    zone: str


def patch() -> None:
    """Replace how the emulator stores a schedule's expression and reads its time."""
    epoch_of = scheduler._at_time_epoch
    list_all = scheduler._list_schedules
    parse, next_fire = eventbridge._parse_cron_fields, eventbridge._cron_next_fire

    def at_time_epoch(expression: str) -> float | None:
        utc: float | None = epoch_of(expression)
        if utc is None or not isinstance(expression, LocalTime):
            return utc
        return datetime.fromisoformat(expression[3:-1]).replace(tzinfo=ZoneInfo(expression.zone)).timestamp()

    def parse_cron_fields(expression: str) -> Any:
        fields = parse(expression)
        if fields is None or not isinstance(expression, LocalTime):
            return fields
        zoned = LocalFields(fields)
        zoned.zone = expression.zone
        return zoned

    def cron_next_fire(fields: Any, after: datetime) -> datetime | None:
        if not isinstance(fields, LocalFields):
            return next_fire(fields, after)  # type: ignore[no-any-return]
        zone = ZoneInfo(fields.zone)
        found = next_fire(fields, after.astimezone(zone).replace(tzinfo=UTC))
        return None if found is None else found.replace(tzinfo=zone).astimezone(UTC)

    def list_schedules(query: dict[str, Any]) -> Any:
        status, headers, body = list_all({**query, "MaxResults": _EVERY})
        first, size = int(query.get("NextToken", 0)), int(query.get("MaxResults", _PAGE))
        found = json.loads(body)["Schedules"]
        page: dict[str, Any] = {"Schedules": found[first : first + size]}
        if first + size < len(found):
            page["NextToken"] = str(first + size)
        return status, headers, json.dumps(page).encode()

    eventbridge._parse_cron_fields = parse_cron_fields
    eventbridge._cron_next_fire = cron_next_fire
    scheduler._list_schedules = list_schedules
    scheduler._create_schedule = _with_time_zone(scheduler._create_schedule)
    scheduler._update_schedule = _with_time_zone(_anew(scheduler._update_schedule))
    scheduler._at_time_epoch = at_time_epoch


def _with_time_zone(write: Callable[[str, dict[str, Any]], Any]) -> Callable[[str, dict[str, Any]], Any]:
    def write_schedule(name: str, body: dict[str, Any]) -> Any:
        expression = LocalTime(body.get("ScheduleExpression", ""))
        expression.zone = body.get("ScheduleExpressionTimezone", "UTC")
        at = scheduler._at_time_epoch(expression)
        if at is not None and at <= time.time() and switches().at_in_the_past == "refused":
            return scheduler._error(400, "ValidationException", "Invalid Schedule Expression: the time has passed.")
        return write(name, {**body, "ScheduleExpression": expression})

    return write_schedule


def _anew(update: Callable[[str, dict[str, Any]], Any]) -> Callable[[str, dict[str, Any]], Any]:
    def update_schedule(name: str, body: dict[str, Any]) -> Any:
        key = f"{body.get('GroupName', 'default')}/{name}"
        scheduler._schedule_last_fired.pop((get_account_id(), get_region(), key), None)
        return update(name, body)

    return update_schedule
