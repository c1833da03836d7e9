"""Make functions with weeks of calls by the hour, healthy ones and ones with a fault, for the rules of advice."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from optimizer.advice import Signals
from optimizer.core import minute_of
from optimizer.function_logs.history import FunctionHistory, SizeHistory
from optimizer.function_logs.sketch import Sketch
from optimizer.traffic import HOUR_METRICS, Floats, Series

# A Monday.
NOW = datetime(2026, 11, 16, 4, tzinfo=UTC)
END = minute_of(NOW) // 60
HOURS = 42 * 24


def hour_at(days_ago: float) -> int:
    """Return the place in the series of the hour so many days before its end."""
    return HOURS - round(days_ago * 24)


@dataclass
class AdvisedFunction:
    """A function whose series a test changes before it asks for advice."""

    calls: Floats
    errors: Floats
    duration_ms: Floats
    throttles: Floats = field(default_factory=lambda: np.zeros(HOURS))
    concurrency: Floats = field(default_factory=lambda: np.ones(HOURS))
    lines: FunctionHistory = field(default_factory=FunctionHistory)
    more: Mapping[str, Any] = field(default_factory=dict)

    def signals(self, **more: Any) -> Signals:
        """Return what the rules see of it: durations are known in hours with calls."""
        values = dict.fromkeys(HOUR_METRICS, np.full(HOURS, np.nan)) | {
            "invocations": self.calls,
            "errors": self.errors,
            "duration_ms": np.where(self.calls > 0, self.duration_ms, np.nan),
            "throttles": self.throttles,
            "concurrency": np.where(self.calls > 0, self.concurrency, 0.0),
        }
        usual = {"version": "12", "memory_mb": 512, "timeout_s": 30.0}
        return Signals(Series(END - HOURS, values), self.lines, **{**usual, **self.more, **more})


def steady(calls_hour: float = 500, error_share: float = 0.002, duration_ms: float = 120.0) -> AdvisedFunction:
    """Return a function with the same traffic in every hour, exactly."""
    calls = np.full(HOURS, float(calls_hour))
    return AdvisedFunction(calls, np.round(calls * error_share), np.full(HOURS, duration_ms))


def healthy(rng: np.random.Generator) -> AdvisedFunction:
    """Return a healthy function: rhythms of day and week, bursts, few errors that come in bursts, days that differ."""
    hours = np.arange(HOURS) + END - HOURS
    day = 1 + rng.uniform(0, 0.95) * np.sin(2 * np.pi * (hours - rng.integers(24)) / 24)
    weekend = np.where((hours // 24 + 3) % 7 >= 5, rng.choice([1.0, 0.6, 0.1]), 1.0)
    level = 10 ** rng.uniform(-1.5, 4.5) * day * weekend * np.exp(_wander(rng, 0.1, HOURS))
    if rng.random() < 0.2:
        # A job at one hour of the day.
        level = np.where(hours % 24 == rng.integers(24), level * 24, 0.0)
    calls = rng.poisson(level * rng.gamma(2, 0.5, HOURS)).astype(float)
    share = 10 ** rng.uniform(-5, -2) * rng.choice([1.0, 1.0, 1.0, 3.0])
    burst = rng.gamma(rng.uniform(0.1, 2), 1, HOURS)
    errors = rng.binomial(calls.astype(int), np.clip(share * burst / burst.mean(), 0, 0.5)).astype(float)
    if rng.random() < 0.3:
        # An incident of an hour or two, that is over.
        first = int(rng.integers(0, HOURS - 30))
        errors[first : first + rng.integers(1, 3)] = calls[first : first + 1] * rng.uniform(0.05, 0.9)
        errors = np.minimum(np.floor(errors), calls)
    duration = 10 ** rng.uniform(0.7, 3.5) * np.exp(
        0.2 * rng.random() * np.sin(2 * np.pi * hours / 24)
        + np.where(weekend < 1, rng.normal(0, 0.1), 0.0)
        + _wander(rng, 0.05, HOURS)
        + rng.normal(0, 0.4, HOURS) / np.sqrt(np.maximum(calls, 1))
    )
    concurrency = np.ceil(calls / 3600 * duration / 1000 * 2 + 1)
    throttles = np.where(rng.random(HOURS) < 0.0005, 1.0, 0.0)
    reserved = int(2 * concurrency.max()) if rng.random() < 0.3 else None
    days = sorted(rng.choice(40, int(rng.integers(1, 8)), replace=False))
    lines = deployed({str(13 - n): float(40 - at) for n, at in zip(range(len(days), 0, -1), days, strict=True)})
    return AdvisedFunction(calls, errors, duration, throttles, concurrency, lines, {"reserved": reserved})


def _wander(rng: np.random.Generator, sd: float, hours: int) -> Floats:
    """Return levels of days that drift a little from one to the next and come back."""
    level, found = 0.0, []
    for step in rng.normal(0, sd, -(-hours // 24)):
        level = 0.8 * level + step
        found.append(level)
    return np.repeat(found, 24)[:hours]


def size(first_days_ago: float, last_days_ago: float = 0.0, memory_mb: int = 512, **more: Any) -> SizeHistory:
    """Return the lines at one size between two times."""
    durations = more.pop("durations", Sketch().add([100.0] * 20))
    first, last = (NOW - timedelta(days=ago) for ago in (first_days_ago, last_days_ago))
    return SizeHistory(memory_mb, first, last, **{"durations": durations, "calls": 1000, **more})


def deployed(versions: Mapping[str, float], **more: Any) -> FunctionHistory:
    """Return the lines of versions of different code, by the days since their first line. more: of the last one."""
    names = sorted(versions, key=lambda name: -versions[name])
    ends = [*(versions[name] for name in names[1:]), 0.0]
    sizes = {name: {512: size(versions[name], end)} for name, end in zip(names, ends, strict=True)}
    last = names[-1]
    sizes[last] = {512: replace(sizes[last][512], **more)}
    return FunctionHistory(by_version=sizes, contents={name: f"code {name}" for name in names})
