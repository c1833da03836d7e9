"""Play calls and pings one by one: which calls start cold, and what pings have to start. Pure.

A call takes the environment that became idle last, else it starts cold: its environment is then busy for INIT and the
call. An idle environment lives for the keep-alive time. A ping arrives a second after EventBridge Scheduler fires, at
any second of its minute, and occupies its environments together for the time of the hold; those that it has to start
take INIT first. It helps only calls that come after it. Provisioned environments take calls first and never start cold;
they are ready two minutes after they are asked for.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from optimizer.traffic import DAY_MINUTES, Floats, Ints, Series, littles_law
from optimizer.warmups.plan_value import HOLD_MS

# (minute, environments); the caller decides from where minutes count.
type Pings = Sequence[tuple[int, int]]

# Until warm_function has been started and has sent its calls.
_ARRIVES_AFTER_S = 1.0
_PROVISIONED_AFTER_MINUTES = 2
# AWS bills provisioned concurrency for at least five minutes, and rounds up to them.
_BILLED_MINUTES = 5
# A timer calls in the first seconds of a minute, unless so many calls come that they are spread over it.
_TIMER_S = 2.0
_FEW_CALLS = 5
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class TimedCalls:
    """TimedCalls in the order of their times, in seconds from a common beginning."""

    at: Floats
    duration_s: Floats


@dataclass(frozen=True, slots=True)
class Played:
    """The course of a time that was played."""

    # Times of the calls that started cold, in seconds.
    cold_at: Floats
    # For each ping, the environments that it had to start.
    started: tuple[int, ...]
    # Environment-seconds in which an environment was alive and not used, the provisioned ones left out.
    idle_s: float
    # Seconds of calls on provisioned environments.
    provisioned_s: float
    # The most calls in progress at once on environments on demand.
    most_at_once: int


def play(
    calls: Iterable[TimedCalls],
    pings: Sequence[tuple[float, int]],
    *,
    init_s: float,
    keep_alive_s: float,
    end_s: float,
    provisioned: Ints | None = None,
) -> Played:
    """Play calls and pings up to `end_s`.

    calls: one block after the other. pings: (second of arrival, environments), rising. provisioned: environments that
    are ready in each minute.
    """
    pool = _Environments(init_s, keep_alive_s, None if provisioned is None else provisioned.tolist())
    sent = 0
    for block in calls:
        at, duration_s = block.at.tolist(), block.duration_s.tolist()
        begin, last = 0, at[-1] if at else -np.inf
        while sent < len(pings) and pings[sent][0] <= last:
            stop = int(np.searchsorted(block.at, pings[sent][0], "left"))
            pool.serve(at[begin:stop], duration_s[begin:stop])
            pool.ping(*pings[sent])
            begin, sent = stop, sent + 1
        pool.serve(at[begin:], duration_s[begin:])
    for second, environments in pings[sent:]:
        pool.ping(second, environments)
    return pool.played(end_s)


class _Environments:
    """The environments of one function."""

    def __init__(self, init_s: float, keep_alive_s: float, provisioned: list[int] | None) -> None:
        self._init_s, self._keep_alive_s, self._provisioned = init_s, keep_alive_s, provisioned
        # Since when each idle environment is idle, the latest last; when each busy one is free, as a heap.
        self._idle: list[float] = []
        self._busy: list[float] = []
        self._busy_provisioned: list[float] = []
        self._cold_at: list[float] = []
        self._started: list[int] = []
        self._idle_s = self._provisioned_s = 0.0
        self._most = 0

    def serve(self, at: list[float], duration_s: list[float]) -> None:
        """Serve calls in the order of their times."""
        idle, busy, keep_alive_s, init_s = self._idle, self._busy, self._keep_alive_s, self._init_s
        idle_s, most = 0.0, self._most
        for second, needed_s in zip(at, duration_s, strict=True):
            if self._provisioned is not None and self._on_provisioned(second, needed_s):
                continue
            while busy and busy[0] <= second:
                idle.append(heappop(busy))
            if idle and second - idle[-1] < keep_alive_s:
                idle_s += second - idle.pop()
                heappush(busy, second + needed_s)
            else:
                # The one that was used last is dead, so all are.
                idle_s += keep_alive_s * len(idle)
                idle.clear()
                self._cold_at.append(second)
                heappush(busy, second + init_s + needed_s)
            most = max(most, len(busy))
        self._idle_s, self._most = self._idle_s + idle_s, most

    def ping(self, second: float, environments: int) -> None:
        """Occupy so many environments at once; those that are not there are started."""
        idle, busy = self._idle, self._busy
        wanted = environments - self._idle_provisioned(second, environments)
        while busy and busy[0] <= second:
            idle.append(heappop(busy))
        warm = 0
        while warm < wanted and idle and second - idle[-1] < self._keep_alive_s:
            self._idle_s += second - idle.pop()
            warm += 1
        free_at = second + HOLD_MS / 1000
        for _ in range(warm):
            heappush(busy, free_at)
        for _ in range(wanted - warm):
            heappush(busy, free_at + self._init_s)
        self._started.append(wanted - warm)

    def played(self, end_s: float) -> Played:
        """Return what was counted up to the end."""
        left = [since for since in (*self._idle, *self._busy) if since < end_s]
        idle_s = self._idle_s + sum(min(self._keep_alive_s, end_s - since) for since in left)
        return Played(np.array(self._cold_at), tuple(self._started), idle_s, self._provisioned_s, self._most)

    def _on_provisioned(self, second: float, needed_s: float) -> bool:
        if not self._idle_provisioned(second, 1):
            return False
        heappush(self._busy_provisioned, second + needed_s)
        self._provisioned_s += needed_s
        return True

    def _idle_provisioned(self, second: float, most: int) -> int:
        """Return the idle provisioned environments, at most so many."""
        minute = int(second // _MINUTE_S)
        if self._provisioned is None or minute >= len(self._provisioned):
            return 0
        busy = self._busy_provisioned
        while busy and busy[0] <= second:
            heappop(busy)
        return max(0, min(most, self._provisioned[minute] - len(busy)))


def arrivals(name: str, minutes: int) -> Floats:
    """Return the second at which a ping of each minute arrives: any of the minute, the same ones for the same name."""
    random = np.random.default_rng(zlib.crc32(name.encode()) + 1)
    return np.arange(minutes) * _MINUTE_S + random.uniform(0, _MINUTE_S, minutes) + _ARRIVES_AFTER_S


def ready(provisioned: Ints) -> Ints:
    """Return the environments that are ready in each minute, of those that are asked for."""
    asked = np.concatenate([np.zeros(_PROVISIONED_AFTER_MINUTES, np.int64), provisioned])
    shifts = range(_PROVISIONED_AFTER_MINUTES + 1)
    return np.asarray(np.minimum.reduce([asked[shift : shift + len(provisioned)] for shift in shifts]))


def billed_minutes(provisioned: Ints) -> int:
    """Return the environment-minutes that AWS bills: each stretch of each environment is rounded up."""
    total = 0
    for level in range(1, int(provisioned.max(initial=0)) + 1):
        held = np.concatenate([[0], provisioned >= level, [0]]).astype(np.int64)
        edges = np.diff(held)
        lengths = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
        total += int((-(-lengths // _BILLED_MINUTES) * _BILLED_MINUTES).sum())
    return total


def one_in(calls: float, most: int) -> int:
    """Return n so that one call in n is at most as many calls as may be played."""
    return max(1, math.ceil(calls / most))


def calls_by_day(minutes: Series, name: str, first: int = 0, *, one_in: int = 1) -> Iterator[TimedCalls]:
    """Yield the calls of a series by the minute from its minute `first` on, in blocks of a day.

    Seconds count from the first minute of the series. The calls of a minute come at any second of it, a timer's few
    calls at its beginning. Where more environments were in use at once than chance makes likely, so many come at the
    same moment. Of `one_in` calls one is kept that takes as many times as long, so that as many environments are in
    use as before. The result is the same for the same name.
    """
    calls = np.nan_to_num(minutes.values["invocations"]).round().astype(np.int64)
    duration_ms, peaks = known_durations(minutes), minutes.values["concurrency"]
    spread_s = _TIMER_S if _is_timer(calls) else _MINUTE_S
    by_chance = littles_law(calls.astype(np.float64), duration_ms)
    if one_in > 1:
        total = np.cumsum(calls)
        calls, duration_ms = total // one_in - (total - calls) // one_in, duration_ms * one_in
    together = np.where(np.nan_to_num(peaks) > by_chance, np.minimum(np.nan_to_num(peaks), calls), 0).astype(np.int64)
    random = np.random.default_rng(zlib.crc32(name.encode()))
    for begin in range(first, len(calls), DAY_MINUTES):
        day = slice(begin, begin + DAY_MINUTES)
        where = np.repeat(np.arange(len(calls[day])), calls[day])
        at = random.uniform(0, spread_s, len(where))
        # The calls that come together take the time of the first of their minute.
        number = np.arange(len(where)) - (np.cumsum(calls[day]) - calls[day])[where]
        of_first = np.maximum.accumulate(np.where(number == 0, np.arange(len(where)), 0))
        at = np.where(number < together[day][where], at[of_first], at) + (begin + where) * _MINUTE_S
        order = np.argsort(at, kind="stable")
        yield TimedCalls(at[order], duration_ms[day][where][order] / 1000)


def known_durations(minutes: Series) -> Floats:
    """Return the mean duration of each minute in milliseconds; that of all calls where it is unknown."""
    calls, duration_ms = minutes.values["invocations"], minutes.values["duration_ms"]
    known = ~np.isnan(duration_ms) & (calls > 0)
    mean_ms = float(np.average(duration_ms[known], weights=calls[known])) if known.any() else 0.0
    return np.where(known, duration_ms, mean_ms)


def _is_timer(calls: Ints) -> bool:
    """Return True if at least half of the minutes with calls follow each other at the same distance, with few calls."""
    active = np.flatnonzero(calls)
    gaps = np.diff(active)
    if len(gaps) < 2 or np.median(calls[active]) > _FEW_CALLS:
        return False
    distances, counts = np.unique(gaps, return_counts=True)
    return bool(distances[counts.argmax()] > 1 and counts.max() >= len(gaps) / 2)
