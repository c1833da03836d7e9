"""Days and hours of one function of which the policy says more than past traffic does. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.core import minute_of, moment_of
from optimizer.policy import WEEKDAYS, AlwaysWarm, NeverWarm, Policy, UnusualDay
from optimizer.traffic import DAY_MINUTES, Floats, Ints, offsets_minutes
from optimizer.traffic.forecast import DayKinds, Reals

# Environments of an event are warm so many minutes before it: time for INIT, and for calls that come early.
LEAD_MINUTES = 5
_EPOCH = date(1970, 1, 1).toordinal()
_THURSDAY = 3


@dataclass(frozen=True, slots=True)
class Launch:
    """An event: environments to hold warm between two moments, each with a zone."""

    name: str
    begin: datetime
    until: datetime
    environments: int


@dataclass(frozen=True, slots=True)
class Occasions:
    """The days and hours of one function of which the policy says something, in the function's time zone."""

    holidays: frozenset[date] = frozenset()
    # Holidays from noon on.
    half_days: frozenset[date] = frozenset()
    days: tuple[UnusualDay, ...] = ()
    events: tuple[Launch, ...] = ()
    never: tuple[NeverWarm, ...] = ()
    always: tuple[AlwaysWarm, ...] = ()

    def day_kinds(self) -> DayKinds:
        """Return the weekdays that days resemble."""
        holidays, half_days = (
            frozenset(day.toordinal() - _EPOCH for day in days)
            for days in (self.holidays, self.half_days - self.holidays)
        )
        # The first entry for a day counts.
        like = {
            day.on.toordinal() - _EPOCH: WEEKDAYS.index(day.like) for day in reversed(self.days) if day.like is not None
        }
        return DayKinds(holidays, half_days, like)

    def levels(self, local: Ints) -> Floats:
        """Return the traffic in each local minute since 1970 as a multiple of the usual one."""
        levels = np.ones(len(local))
        for day in reversed(self.days):
            levels[local // DAY_MINUTES == day.on.toordinal() - _EPOCH] = day.level
        return levels

    def wanted(self, minutes: Ints, zone: ZoneInfo) -> Floats:
        """Return the environments that must be warm in each minute since 1970, and -1 where nothing may be pinged."""
        local = minutes + offsets_minutes(zone, minutes)
        wanted = np.zeros(len(minutes))
        for hours in self.always:
            wanted[_within(hours, local)] = np.maximum(wanted[_within(hours, local)], hours.environments)
        for closed in self.never:
            wanted[_within(closed, local)] = -1
        for event in self.events:
            during = (minutes >= minute_of(event.begin)) & (minutes < minute_of(event.until))
            wanted[during] = np.maximum(wanted[during], event.environments)
        return wanted

    def asks_for_any(self, start: int, hours_ahead: int, timezone: str) -> bool:
        """Return True if environments must be warm in some minute of the hours ahead. start: minutes since 1970."""
        wanted = self.wanted(start + np.arange(hours_ahead * 60), ZoneInfo(timezone))
        return bool((wanted > 0).any())

    def unusual(self, minutes: Ints, zone: ZoneInfo, now: int) -> NDArray[np.bool_]:
        """Return True for minutes before `now` that tell nothing about other days: of past events, and of days at
        another level, even the present one, because its level is known."""
        found: NDArray[np.bool_] = self.levels(minutes + offsets_minutes(zone, minutes)) != 1
        for event in self.events:
            if minute_of(event.until) <= now:
                found |= (minutes >= minute_of(event.begin)) & (minutes < minute_of(event.until))
        return found

    def words(self, start: int, end: int, zone: ZoneInfo, most: int | None) -> list[str]:
        """Return a phrase for each thing that the policy says of the minutes from `start` to `end` since 1970."""
        return [
            *self._event_words(start, end, zone, most),
            *self._hour_words(start, end, zone, most),
            *self._day_words(moment_of(start, zone).date(), moment_of(end - 1, zone).date()),
        ]

    def _event_words(self, start: int, end: int, zone: ZoneInfo, most: int | None) -> Iterator[str]:
        for event in self.events:
            if minute_of(event.until) > start and minute_of(event.begin) < end:
                begin, until = event.begin.astimezone(zone), event.until.astimezone(zone)
                first = begin - timedelta(minutes=LEAD_MINUTES)
                last = f"{until:%H:%M}" if until.date() == begin.date() else f"{until:%A %H:%M}"
                name = event.name if event.name.endswith("event") else f"{event.name} event"
                yield (
                    f"{begin:%A}'s {name} asks for {event.environments} environments from {first:%H:%M} to "
                    f"{last}{_limited(event.environments, most)}"
                )

    def _hour_words(self, start: int, end: int, zone: ZoneInfo, most: int | None) -> Iterator[str]:
        minutes = np.arange(start, end)
        local = minutes + offsets_minutes(zone, minutes)
        for hours in self.always:
            if _within(hours, local).any():
                number = f"{hours.environments} environment{'' if hours.environments == 1 else 's'}"
                yield (
                    f"the policy keeps {number} always warm from {hours.start} to {hours.until}"
                    f"{_limited(hours.environments, most)}"
                )
        for closed in self.never:
            if _within(closed, local).any():
                yield f"the policy allows no pings from {closed.start} to {closed.until}"

    def _day_words(self, first: date, last: date) -> Iterator[str]:
        for day in sorted(self.holidays | self.half_days):
            if first <= day <= last:
                kind = "a holiday" if day in self.holidays else "a holiday from noon on"
                yield f"{day:%A, %d %B} is {kind} and counts as a Sunday"
        seen = set[date]()
        for unusual in self.days:
            if first <= unusual.on <= last and unusual.on not in seen:
                seen.add(unusual.on)
                like = f"like a {unusual.like.capitalize()}" if unusual.like else "as usual"
                level = "" if unusual.level == 1 else f", at {unusual.level:g} times its level"
                yield f"{unusual.on:%A, %d %B} is planned {like}{level}"


def occasions_of(policy: Policy, function_name: str, tags: Mapping[str, str]) -> Occasions:
    """Return what the policy says of a function."""
    said, rest = policy.warmups, policy.rest_days(function_name, tags)
    return Occasions(
        rest.holidays,
        rest.half_days,
        events=tuple(
            Launch(event.name, *event.moments(policy.time_zone), event.environments)
            for event in said.events
            if event.fits(function_name, tags)
        ),
        days=tuple(day for day in said.days if day.fits(function_name, tags)),
        never=tuple(hours for hours in said.never if hours.fits(function_name, tags)),
        always=tuple(hours for hours in said.always if hours.fits(function_name, tags)),
    )


def with_occasions(
    pings: Sequence[tuple[int, int]], wanted: Reals, keep_alive_minutes: int
) -> tuple[tuple[int, int], ...]:
    """Return pings (minute, environments) that also hold what is wanted in each minute, and none in closed minutes.

    wanted: environments, -1 where nothing may be pinged. A ping of closed minutes moves to the first open one if its
    environments would still live then."""
    merged: dict[int, int] = {}
    for minute, environments in (*_opened(pings, wanted, keep_alive_minutes), *held(wanted, keep_alive_minutes)):
        merged[minute] = max(environments, merged.get(minute, 0))
    return tuple(sorted(merged.items()))


def held(wanted: Reals, keep_alive_minutes: int) -> list[tuple[int, int]]:
    """Return the pings that hold what is wanted, from LEAD_MINUTES before on.

    Each comes before the environments of the one before have died. A ping of the first minute is sent though an
    earlier plan may have held them, because it is not known."""
    lead = min(LEAD_MINUTES, max(1, keep_alive_minutes // 2))
    gap = max(1, keep_alive_minutes - 1)
    ends = len(wanted) - int(np.argmax(wanted[::-1] > 0)) if (wanted > 0).any() else 0
    pings: list[tuple[int, int]] = []
    last, count = -gap, 0
    for minute in range(ends):
        need = max(0, int(wanted[minute : minute + lead + 1].max()))
        if not need:
            count = 0
            continue
        is_due = minute >= last + gap
        if need > count or is_due:
            pings.append((minute, need))
            last, count = minute, need
    return pings


def _opened(pings: Sequence[tuple[int, int]], wanted: Reals, keep_alive_minutes: int) -> Iterator[tuple[int, int]]:
    for minute, environments in pings:
        opened = np.flatnonzero(wanted[minute : minute + keep_alive_minutes] >= 0)
        if len(opened):
            yield minute + int(opened[0]), environments


def _within(hours: NeverWarm | AlwaysWarm, local: Ints) -> NDArray[np.bool_]:
    """Return True for the local minutes since 1970 that lie in the hours."""
    minute, weekday = local % DAY_MINUTES, (local // DAY_MINUTES + _THURSDAY) % 7
    start, until = _minute(hours.start), _minute(hours.until)
    days = [day[:3] for day in WEEKDAYS]
    today = np.isin(weekday, [days.index(day) for day in hours.days])
    if start < until:
        return today & (minute >= start) & (minute < until)
    yesterday = np.isin((weekday - 1) % 7, [days.index(day) for day in hours.days])
    return today & (minute >= start) | yesterday & (minute < until)


def _minute(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _limited(wanted: int, most: int | None) -> str:
    return "" if most is None or wanted <= most else f" (limited to {most} by warmups.max_environments_per_function)"
