"""Busy environments of past days in local time, and the worth that holding some of them would have had. Pure."""

import math
from collections.abc import Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.capacity.provisioned.load import busy_environments
from optimizer.capacity.provisioned.timetable import READY_MINUTES
from optimizer.traffic import DAY_MINUTES, Floats, History, Series, forecast, local_hours, offsets_minutes

_HOURS, _HOUR = 24, 60
_SUNDAY = 6
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class LocalDays:
    """The load of past days in local time.

    busy: [days, 24, 60] environments at work on average in each local minute (Little's law), NaN not known. weekdays:
    of each day, 0 is Monday; a holiday counts as a Sunday.

    An hour that clocks skip is not known; of an hour that comes twice, the later one counts.

    groups: how many calls of each minute come together; None if all come at random.

    cold: [environments, days, 24] cold starts that the first, second, ... environment would have avoided; None where
    they are not known. cold_start_hours: the worth of one, in hours of a busy environment.
    """

    busy: Floats
    weekdays: NDArray[np.int64]
    cold: Floats | None = None
    cold_start_hours: float = 0.0
    groups: Floats | None = None

    @classmethod
    def of(
        cls,
        minutes: Series,
        timezone: str,
        holidays: AbstractSet[date] = frozenset(),
        groups: Floats | None = None,
    ) -> "LocalDays":
        """Read the minute series of a history. groups: how many calls of each minute come together."""
        if not len(minutes):
            return cls(np.zeros((0, _HOURS, _HOUR)), np.zeros(0, np.int64))
        number = minutes.start + np.arange(len(minutes))
        local = number + offsets_minutes(ZoneInfo(timezone), number)
        first = int(local[0]) // DAY_MINUTES
        days = int(local[-1]) // DAY_MINUTES - first + 1
        grid = np.full(days * DAY_MINUTES, np.nan)
        grid[local - first * DAY_MINUTES] = busy_environments(minutes)
        together = None
        if groups is not None and (groups > 1).any():
            together = np.ones(days * DAY_MINUTES)
            together[local - first * DAY_MINUTES] = groups
        # The first of January 1970 was a Thursday.
        weekdays = (first + np.arange(days) + 3) % 7
        weekdays[np.isin(first + np.arange(days), [day.toordinal() - _EPOCH for day in holidays])] = _SUNDAY
        shape = (days, _HOURS, _HOUR)
        by_day = None if together is None else together.reshape(shape)
        return cls(grid.reshape(shape), weekdays.astype(np.int64), groups=by_day)

    def __len__(self) -> int:
        return len(self.busy)

    def whole(self) -> "LocalDays":
        """Return the days of which each hour is known at least in part, but for the hour that clocks skip."""
        hours = (~np.isnan(self.busy)).any(axis=2).sum(axis=1)
        keep = hours >= _HOURS - 1
        cold = None if self.cold is None else self.cold[:, keep]
        groups = None if self.groups is None else self.groups[keep]
        return replace(self, busy=self.busy[keep], weekdays=self.weekdays[keep], cold=cold, groups=groups)

    @property
    def most_busy(self) -> int:
        """The most environments that calls keep busy at once, for longer than by chance."""
        busy = self.busy if self.groups is None else np.maximum(self.busy, self.groups * (self.busy > 0))
        return math.ceil(float(np.nanmax(busy, initial=0.0)))

    def scaled(self, factor: float) -> "LocalDays":
        """Return the same days at another level of traffic."""
        return replace(self, busy=self.busy * factor)

    def with_cold_starts(self, history: History, timezone: str, keep_alive_minutes: int, most: int) -> "LocalDays":
        """Return the same days with the cold starts that up to `most` environments would have avoided.

        history: the one that the days are from."""
        minutes, hours = history.minutes, history.hours
        first, last = -(-minutes.start // _HOUR), minutes.end // _HOUR
        if last <= first or not len(self):
            return self
        whole = minutes.window(first * _HOUR, last * _HOUR).values
        calls, duration_ms = np.nan_to_num(whole["invocations"]), whole["duration_ms"]
        timed = ~np.isnan(duration_ms) & (calls > 0)
        if not timed.any():
            return self
        peaks = hours.window(first, last).values.get("concurrency", np.full(last - first, np.nan))
        mean_ms = float(np.average(duration_ms[timed], weights=calls[timed]))
        found = forecast.past_cold_starts(calls, mean_ms, peaks, forecast.Lives.of_minutes(keep_alive_minutes))
        number = minutes.start + np.arange(len(minutes))
        first_day = int(number[0] + offsets_minutes(ZoneInfo(timezone), number[:1])[0]) // DAY_MINUTES
        by_hour = found.cold.reshape(last - first, _HOUR, -1).sum(axis=1) / found.levels.size
        environments = np.searchsorted(found.levels.high, np.arange(1, min(most, int(found.levels.high[-1])) + 1))
        place = local_hours(ZoneInfo(timezone), np.arange(first, last)) - first_day * _HOURS
        cold = np.zeros((len(environments), len(self) * _HOURS))
        inside = (place >= 0) & (place < cold.shape[1])
        np.add.at(cold.T, place[inside], by_hour[inside][:, environments])
        return replace(self, cold=cold.reshape(len(environments), len(self), _HOURS))

    def worth_of_cold_starts(self, environments: int) -> Floats:
        """Return the worth of the cold starts that the first, second, ... environment would have avoided in each hour,
        in hours of a busy environment: [environments, days, 24]."""
        worth = np.zeros((environments, len(self), _HOURS))
        if self.cold is not None:
            known = min(environments, len(self.cold))
            worth[:known] = self.cold_start_hours * self.cold[:known]
        return worth

    def used(self, environments: int) -> Floats:
        """Return the share of each hour in which the first, second, ... environment is busy, [environments, days, 24].

        Calls come at random, so that some find all environments busy even where there are enough on average, while at
        other moments environments idle. Of a load a, the n-th takes a (B(n - 1) - B(n)), B being Erlang's loss formula
        (A. K. Erlang, 1917; it holds for any distribution of the durations).
        """
        load = self.busy if self.groups is None else self.busy / self.groups
        shares, lost = [], np.ones_like(load)
        for number in range(1, environments + 1):
            then = load * lost / (number + load * lost)
            shares.append(load * (lost - then))
            lost = then
        if self.groups is not None:
            # Calls of a group need as many environments at once: the first of these are as busy as one of a group's.
            every = np.array(shares).reshape(environments, *self.busy.shape)
            places = [np.ceil(number / self.groups).astype(np.int64) - 1 for number in range(1, environments + 1)]
            shares = [np.take_along_axis(every, place[None], axis=0)[0] for place in places]
        return np.array([_hourly_mean(share) for share in shares]).reshape(environments, *self.busy.shape[:2])


def _hourly_mean(minutes: Floats) -> Floats:
    known = ~np.isnan(minutes)
    counts = known.sum(axis=2)
    return np.where(counts > 0, np.where(known, minutes, 0.0).sum(axis=2) / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a week of environments on each of the days.

    held, busy: environment-hours in the hours that are known. starts: environments started. cold_starts: the worth of
    the cold starts that were avoided, in hours of a busy environment.
    """

    held: Floats
    busy: Floats
    starts: Floats
    cold_starts: Floats

    def worth(self, least_utilisation: float) -> Floats:
        """Return the worth of each day in busy environment-hours: the use beyond that which pays for the price."""
        price = least_utilisation * (self.held + self.starts * READY_MINUTES / _HOUR)
        return self.busy + self.cold_starts - price

    @property
    def utilisation(self) -> float:
        """The share of the held time that was busy (0 to 1); 0 if nothing was held."""
        held = float(self.held.sum())
        return float(self.busy.sum()) / held if held else 0.0


def use(used: Floats, cold_starts: Floats, weekdays: NDArray[np.int64], weeks: Sequence[Sequence[int]]) -> Use:
    """Return the use on the days. used, cold_starts: from LocalDays. weeks: for each day 168 environments held, Monday
    first."""
    table = np.array(weeks, np.int64).reshape(len(weekdays), 7, _HOURS)
    days = np.arange(len(weekdays))
    held = table[days, weekdays]
    before = np.concatenate([table[days, (weekdays - 1) % 7, -1:], held[:, :-1]], axis=1)
    known = ~np.isnan(used).all(axis=0)
    further = np.arange(len(used))[:, None, None]
    busy, avoided = (
        np.where(further < held[None], np.nan_to_num(values), 0.0).sum(axis=0) for values in (used, cold_starts)
    )
    return Use(
        held=np.where(known, held, 0).sum(axis=1).astype(float),
        busy=np.where(known, busy, 0.0).sum(axis=1),
        starts=np.where(known, np.maximum(held - before, 0), 0).sum(axis=1).astype(float),
        cold_starts=np.where(known, avoided, 0.0).sum(axis=1),
    )
