"""The concurrency that a function's own callers need at a time of day, as CloudWatch measured it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from optimizer.core import moment_of

DAYS = 7
DAY_MINUTES = 24 * 60
# A ping comes at any second of its minute and may last into the next ones; callers are not on time to the minute.
_AROUND = range(-2, 4)


def callers_at(
    minutes: Sequence[int], measured: Mapping[datetime, float], pinged: Collection[int], time_zone: str
) -> list[int]:
    """Return the most concurrency that callers needed around the time of day of each of the minutes.

    measured: the maximum concurrency by the minute, of all aliases and versions, because they share what is reserved.
    pinged: minutes of the application's own pings, which say nothing about callers.
    """
    zone = ZoneInfo(time_zone)
    most: dict[int, float] = {}
    for at, concurrency in measured.items():
        if int(at.timestamp()) // 60 not in pinged:
            minute = _minute_of_day(at.astimezone(zone))
            most[minute] = max(most.get(minute, 0.0), concurrency)
    times = [_minute_of_day(moment_of(minute, zone)) for minute in minutes]
    return [round(max(most.get((time + step) % DAY_MINUTES, 0.0) for step in _AROUND)) for time in times]


def _minute_of_day(local: datetime) -> int:
    return local.hour * 60 + local.minute
