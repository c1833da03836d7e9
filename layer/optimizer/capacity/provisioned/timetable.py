"""A week of provisioned concurrency in local time: the environments held from each minute on. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from optimizer.core import OptimizerError
from optimizer.prices import Rates, aws_lambda

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
# Environments are ready one to two minutes after the request, and none of them before all are.
READY_MINUTES = 2
_DAY, _WEEK = 1440, 7 * 1440
_SUNDAY = 6
_WEEKS_A_MONTH = aws_lambda.SECONDS_A_MONTH / (_WEEK * 60)
_DAY_WORDS = {(0, 1, 2, 3, 4, 5, 6): "every day", (0, 1, 2, 3, 4): "on weekdays", (5, 6): "on weekends"}
_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


class MalformedTimetable(OptimizerError, ValueError):
    """A stored or received record is not a timetable; the message names what is wrong."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Environments held from a minute of the day on. days: 0 is Monday, rising."""

    days: tuple[int, ...]
    minute: int
    environments: int

    @property
    def at(self) -> str:
        """Time of day, HH:MM."""
        return f"{self.minute // 60:02}:{self.minute % 60:02}"

    @property
    def cron(self) -> str:
        """Cron expression that EventBridge Scheduler and Application Auto Scaling both accept."""
        days = ",".join(DAYS[day] for day in self.days) if len(self.days) < len(DAYS) else "*"
        return f"cron({self.minute % 60} {self.minute // 60} ? * {days} *)"


@dataclass(frozen=True, slots=True)
class Timetable:
    """Entries of a week that repeats, in a time zone (IANA name). On a holiday, an entry holds no more than the
    timetable holds on a Sunday until the day's next entry."""

    timezone: str
    entries: tuple[Entry, ...]
    holidays: frozenset[date] = frozenset()

    @classmethod
    def of_hours(cls, hours: Sequence[int], timezone: str) -> "Timetable":
        """Build a timetable from the environments of each hour of the week, Monday first.

        More environments are requested READY_MINUTES before their hour. There are no entries where all hours are alike.
        """
        days: dict[tuple[int, int], list[int]] = {}
        for hour, environments in enumerate(hours):
            before = hours[hour - 1]
            if environments != before:
                early = READY_MINUTES if environments > before else 0
                day, minute = divmod((hour * 60 - early) % _WEEK, _DAY)
                days.setdefault((minute, environments), []).append(day)
        return cls(timezone, tuple(Entry(tuple(sorted(on)), *key) for key, on in sorted(days.items())))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Timetable":
        """Read `document` back; raise MalformedTimetable."""
        try:
            entries = tuple(
                Entry(
                    tuple(sorted(DAYS.index(day) for day in entry["days"])),
                    _minute(entry["at"]),
                    _environments(entry["environments"]),
                )
                for entry in document["entries"]
            )
            timezone = ZoneInfo(document["timezone"]).key
            holidays = frozenset(map(date.fromisoformat, document.get("holidays", ())))
        except (KeyError, TypeError, ValueError, OSError) as wrong:
            raise MalformedTimetable(f"a timetable cannot be read: {wrong}") from wrong
        made = cls(timezone, entries, holidays)
        at = [minute for minute, _ in made.week()]
        if not entries or len(set(at)) < len(at):
            raise MalformedTimetable("a timetable needs entries, and no two of them at the same time")
        return made

    def document(self) -> dict[str, Any]:
        """Return `{"timezone", "entries": [{"days": ["MON", ...], "at": "HH:MM", "environments": n}], "holidays"?}`."""
        entries = [
            {"days": [DAYS[day] for day in entry.days], "at": entry.at, "environments": entry.environments}
            for entry in self.entries
        ]
        document: dict[str, Any] = {"timezone": self.timezone, "entries": entries}
        return document | ({"holidays": sorted(map(str, self.holidays))} if self.holidays else {})

    def week(self) -> list[tuple[int, int]]:
        """Return minute of the week and environments of every change, in order."""
        return sorted((day * _DAY + entry.minute, entry.environments) for entry in self.entries for day in entry.days)

    @property
    def amounts(self) -> frozenset[int]:
        """All numbers of environments that it holds at some time."""
        return frozenset(entry.environments for entry in self.entries)

    @property
    def most(self) -> int:
        """The largest number that it ever holds."""
        return max(self.amounts)

    def held_at(self, moment: datetime) -> int:
        """Return the environments held at a moment (with a zone)."""
        local = moment.astimezone(ZoneInfo(self.timezone))
        minute = local.weekday() * _DAY + local.hour * 60 + local.minute
        return self._on_day(local.date(), minute, self._held(minute))

    def minutes_since_change(self, moment: datetime) -> int:
        """Return the minutes since the last entry before a moment (with a zone)."""
        local = moment.astimezone(ZoneInfo(self.timezone))
        now = local.weekday() * _DAY + local.hour * 60 + local.minute
        return min((now - at) % _WEEK for at, _ in self.week())

    def hours(self) -> tuple[int, ...]:
        """Return the environments of each hour of the week, Monday first: those held in the middle of the hour."""
        return tuple(self.minutes_of_week()[30::60])

    def held_minutes(self, start: datetime, end: datetime) -> list[int]:
        """Return the environments held in each minute of a window."""
        week = self.minutes_of_week()
        zone, minute, until = ZoneInfo(self.timezone), int(start.timestamp()) // 60, int(end.timestamp()) // 60
        held: list[int] = []
        while minute < until:
            # Clocks change on a quarter of an hour everywhere.
            quarter = min(until, (minute // 15 + 1) * 15)
            local = datetime.fromtimestamp(minute * 60, zone)
            at = local.weekday() * _DAY + local.hour * 60 + local.minute
            held.extend(
                self._on_day(local.date(), (at + n) % _WEEK, week[(at + n) % _WEEK]) for n in range(quarter - minute)
            )
            minute = quarter
        return held

    def usd_month(self, rates: Rates, memory_mb: int) -> float:
        """Return the USD a month that holding costs; each change is rounded up to five minutes."""
        return _WEEKS_A_MONTH * float(
            sum(
                aws_lambda.provisioned_usd(rates, memory_mb, environments, 60 * (end - start))
                for start, end, environments in self._stretches()
            )
        )

    def usd_dearest_day(self, rates: Rates, memory_mb: int) -> float:
        """Return the USD that holding costs on the dearest day of the week."""
        environment_minutes = [0] * len(DAYS)
        for start, end, environments in self._stretches():
            for minute in range(start, -(-end // 5) * 5):
                environment_minutes[minute % _WEEK // _DAY] += environments
        return float(aws_lambda.provisioned_usd(rates, memory_mb, 1, 60 * max(environment_minutes)))

    def words(self) -> str:
        """Return `3 provisioned from 08:00 to 18:00 on weekdays, Europe/Berlin`."""
        hours = self.hours()
        by_day = [_spans(hours[24 * day : 24 * day + 24]) for day in range(len(DAYS))]
        phrases = []
        for spans in dict.fromkeys(by_day):
            if spans:
                on = tuple(day for day in range(len(DAYS)) if by_day[day] == spans)
                listed = ", ".join(f"{n} from {first:02}:00 to {end:02}:00" for first, end, n in spans)
                phrases.append(f"{listed} {_DAY_WORDS.get(on) or 'on ' + _and([_NAMES[day] for day in on])}")
        first, *rest = phrases or ["none"]
        number, _, when = first.partition(" ")
        return f"{'; '.join([f'{number} provisioned {when}'.rstrip(), *rest])}, {self.timezone}"

    def _held(self, minute_of_week: int) -> int:
        changes = self.week()
        return next((n for at, n in reversed(changes) if at <= minute_of_week), changes[-1][1])

    def _on_day(self, day: date, minute_of_week: int, usual: int) -> int:
        """Return the environments held on a day where an ordinary week holds `usual`.

        They are set by the last entry before: of the day itself, or of an earlier day that may be a holiday too."""
        if not self.holidays or not usual:
            return usual
        days_back, least = _on_holidays(self.entries)[minute_of_week]
        return min(usual, least) if day - timedelta(days=days_back) in self.holidays else usual

    def minutes_of_week(self) -> list[int]:
        """Return the environments held in each minute of the week."""
        week = [0] * _WEEK
        for first, end, environments in self._stretches():
            inside = min(end, _WEEK)
            week[first:inside] = [environments] * (inside - first)
            week[: end - inside] = [environments] * (end - inside)
        return week

    def _stretches(self) -> Iterator[tuple[int, int, int]]:
        """Yield first minute of the week, end minute (not included, may lie beyond the week) and environments."""
        changes = self.week()
        around = [*changes, (changes[0][0] + _WEEK, changes[0][1])]
        return ((start, end, n) for (start, n), (end, _) in pairwise(around))


@cache
def _on_holidays(entries: tuple[Entry, ...]) -> list[tuple[int, int]]:
    """Return for each minute of the week how many days before it the entry in force came, and the environments that
    this entry holds if it came on a holiday: the least of a Sunday until the next entry of that day."""
    usual = Timetable("UTC", entries)
    sunday = usual.minutes_of_week()[_SUNDAY * _DAY :]
    changes = [at for at, _ in usual.week()]
    found = [(0, 0)] * _WEEK
    for at, following in pairwise([*changes, changes[0] + _WEEK]):
        minute = at % _DAY
        least = min(sunday[minute : minute + min(following - at, _DAY - minute)])
        for each in range(at, following):
            found[each % _WEEK] = (each // _DAY - at // _DAY, least)
    return found


def _spans(day: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    edges = [0, *(hour for hour in range(1, 24) if day[hour] != day[hour - 1]), 24]
    return tuple((first, end, day[first]) for first, end in pairwise(edges) if day[first])


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _minute(at: str) -> int:
    read = time.fromisoformat(at)
    return read.hour * 60 + read.minute


def _environments(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"environments must be a whole number that is not negative, not {value!r}")
    return value
