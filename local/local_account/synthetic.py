"""Make up traffic from seasons and chance, for use without recorded traces; it is labelled as synthetic."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from local_account.seeds import generator
from local_account.traces import AHEAD_DAYS, DAY_MINUTES, HISTORY_DAYS, WEEK_MINUTES, Numbers, Trace

NOTE = "synthetic: made by a generator, recorded nowhere"
_AHEAD_DAYS = min(AHEAD_DAYS, 14)
type Shape = Callable[["Clock", np.random.Generator], Numbers]


@dataclass(frozen=True, slots=True)
class Clock:
    """The minutes of a trace: hour of the day (0 <= hour < 24), weekday (0 is Monday) and days before (-) now."""

    hour: Numbers
    weekday: Numbers
    days_from_now: Numbers

    @classmethod
    def around(cls, now: datetime) -> "Clock":
        """Return the minutes from 28 days before `now` to 14 days after it."""
        start = now - timedelta(days=HISTORY_DAYS)
        first = start.weekday() * DAY_MINUTES + start.hour * 60 + start.minute
        of_week = (first + np.arange((HISTORY_DAYS + _AHEAD_DAYS) * DAY_MINUTES)) % WEEK_MINUTES
        hour, weekday = of_week % DAY_MINUTES / 60.0, (of_week // DAY_MINUTES).astype(np.float64)
        return cls(hour, weekday, np.arange(len(of_week)) / DAY_MINUTES - HISTORY_DAYS)


def synthetic_traces(now: datetime, seed: int, *, busy: bool = False) -> list[Trace]:
    """Return a dozen functions of different habits, the same for the same seed and minute.

    `busy` returns four others, which keep several environments busy at all hours, by day, or by night.
    """
    now = now.replace(second=0, microsecond=0)
    clock = Clock.around(now)
    return [
        Trace(
            name=name,
            start=now - timedelta(days=HISTORY_DAYS),
            timezone="UTC",
            invocations=generator(seed, name).poisson(np.maximum(rates, 0.0)).astype(np.int64),
            duration_ms=None,
            usual_duration_ms=duration_ms,
            note=NOTE,
        )
        for name, duration_ms, rates in _rates(clock, seed, _BUSY if busy else _FUNCTIONS)
    ]


def _rates(
    clock: Clock, seed: int, functions: tuple[tuple[str, float, Shape], ...]
) -> Iterator[tuple[str, float, Numbers]]:
    for name, duration_ms, shape in functions:
        random = generator(seed, name, "rates")
        yield name, duration_ms, shape(clock, random)


def _peak(hour: Numbers, at: float, width_h: float) -> Numbers:
    """Return a bump of height 1 around an hour of the day, over midnight where it has to be."""
    distance = np.minimum(np.abs(hour - at), 24.0 - np.abs(hour - at))
    bump: Numbers = np.exp(-0.5 * (distance / width_h) ** 2)
    return bump


def _wander(length: int, random: np.random.Generator, spread: float) -> Numbers:
    """Return a slow random factor around 1, one step an hour."""
    hours = length // 60 + 2
    steps = random.normal(0.0, spread, hours)
    level = np.empty(hours)
    value = 0.0
    for place, step in enumerate(steps):
        value = 0.9 * value + step
        level[place] = value
    factor: Numbers = np.exp(np.interp(np.arange(length) / 60.0, np.arange(hours), level))
    return factor


def _office(clock: Clock, random: np.random.Generator) -> Numbers:
    working = np.where(clock.weekday < 5, 1.0, 0.06)
    day = _peak(clock.hour, 10.5, 1.6) + 0.8 * _peak(clock.hour, 15.0, 2.0)
    return (0.4 + 160.0 * day * working) * _wander(len(day), random, 0.05)


def _evening(clock: Clock, random: np.random.Generator) -> Numbers:
    day = 0.1 + _peak(clock.hour, 20.0, 2.5) * np.where(clock.weekday >= 4, 1.5, 1.0)
    return 240.0 * day * _wander(len(day), random, 0.06)


def _steady(clock: Clock, random: np.random.Generator) -> Numbers:
    return 90.0 * (1.0 + 0.25 * _peak(clock.hour, 14.0, 5.0)) * _wander(len(clock.hour), random, 0.02)


def _bursty(clock: Clock, random: np.random.Generator) -> Numbers:
    bursts = random.random(len(clock.hour)) < 1.0 / 240.0
    burst_sizes = np.where(bursts, random.pareto(1.8, len(bursts)) * 60.0 + 30.0, 0.0)
    decay = 0.7 ** np.arange(12)
    calls: Numbers = np.convolve(np.minimum(burst_sizes, 1500.0), decay)[: len(bursts)]
    return calls


def _nightly(clock: Clock, random: np.random.Generator) -> Numbers:
    return 300.0 * _between(clock.hour, 2.0, 2.5) * _wander(len(clock.hour), random, 0.03)


def _monday_morning(clock: Clock, random: np.random.Generator) -> Numbers:
    mondays: Numbers = (clock.weekday == 0).astype(np.float64)
    return 120.0 * _between(clock.hour, 6.0, 7.0) * mondays * _wander(len(clock.hour), random, 0.03)


def _sparse(clock: Clock, random: np.random.Generator) -> Numbers:
    return 0.02 * (0.3 + _peak(clock.hour, 13.0, 4.0)) * _wander(len(clock.hour), random, 0.1)


def _every_five_minutes(clock: Clock, _random: np.random.Generator) -> Numbers:
    calls: Numbers = 3.0 * (np.rint(clock.hour * 60.0) % 5 == 0)
    return calls


def _new(clock: Clock, random: np.random.Generator) -> Numbers:
    return _office(clock, random) * 0.4 * (clock.days_from_now > -5)


def _dead(clock: Clock, random: np.random.Generator) -> Numbers:
    return _steady(clock, random) * 0.3 * (clock.days_from_now < -10)


def _at_all_hours(clock: Clock, random: np.random.Generator) -> Numbers:
    return 400.0 * _wander(len(clock.hour), random, 0.01)


def _by_day(clock: Clock, random: np.random.Generator) -> Numbers:
    return (2.0 + 400.0 * _between(clock.hour, 7.0, 19.0)) * _wander(len(clock.hour), random, 0.01)


def _by_night(clock: Clock, random: np.random.Generator) -> Numbers:
    return (402.0 - 400.0 * _between(clock.hour, 7.0, 19.0)) * _wander(len(clock.hour), random, 0.01)


def _between(hour: Numbers, start: float, end: float) -> Numbers:
    return ((hour >= start) & (hour < end)).astype(np.float64)


_FUNCTIONS: tuple[tuple[str, float, Shape], ...] = (
    ("checkout-api", 180.0, _office),
    ("search-api", 120.0, _evening),
    ("image-resize", 900.0, _bursty),
    ("nightly-report", 2400.0, _nightly),
    ("session-check", 45.0, _steady),
    ("invoice-run", 1500.0, _monday_morning),
    ("webhook-relay", 160.0, _sparse),
    ("stock-sync", 350.0, _every_five_minutes),
    ("new-dashboard", 220.0, _new),
    ("mobile-feed", 260.0, _evening),
    ("legacy-export", 600.0, _dead),
    ("price-preview", 500.0, _office),
)

# Provisioned concurrency pays for these.
_BUSY: tuple[tuple[str, float, Shape], ...] = (
    ("always-busy", 600.0, _at_all_hours),
    ("busy-by-day", 600.0, _by_day),
    ("busy-by-night", 600.0, _by_night),
    ("scaled-by-day", 600.0, _by_day),
)
