"""Make a fleet for the closed loop: traffic by day and week, curves measured or by formula, some that get worse."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from local_account.curves import Curve, formula
from local_account.fleet import ALIAS, ON, Behaviour, TargetFunction, Worse
from local_account.seeds import generator
from local_account.traces import DAY_MINUTES, Traffic

HISTORY_DAYS = 15
_MEMORY_MB = (1024, 512, 1536, 2048, 256, 1024, 128, 768, 512, 3008)
_CPU_SHARES = (0.02, 0.05, 0.1, 0.3, 0.6, 0.9)
# Load makes calls slower by at most this share within a day.
_LOAD = 0.08


def simulated_fleet(
    functions: int, begin: datetime, days: int, curves: Sequence[Curve], seed: int
) -> list[TargetFunction]:
    """Return functions with 15 days of history before `begin` and `days` after it.

    Of ten, one gets slower and one fails at any other size; of ten, one is busy all day, so that provisioned
    concurrency pays.
    """
    return [_target(place, begin, days, curves, seed) for place in range(functions)]


def _target(place: int, begin: datetime, days: int, curves: Sequence[Curve], seed: int) -> TargetFunction:
    random = generator(seed, place, "simulated")
    memory_mb = _MEMORY_MB[int(random.integers(len(_MEMORY_MB)))]
    share = float(random.choice(_CPU_SHARES))
    curve = curves[int(random.integers(len(curves)))] if curves else formula(f"cpu {share:.0%}", share)
    return TargetFunction(
        name=f"function-{place:03d}",
        memory_mb=memory_mb,
        timeout_s=900,
        alias=ALIAS,
        tags=ON,
        json_logs=place % 4 == 3,
        scaled=False,
        behaviour=Behaviour(
            curve=curve,
            shape=float(random.uniform(4.0, 9.0)),
            init_ms=float(random.uniform(150.0, 900.0)),
            used_memory_mb=int(min(memory_mb - 20, 50 + 0.5 * memory_mb * random.beta(1.0, 3.0))),
            error_rate=float(random.choice([0.0, 0.001, 0.01])),
            worse={3: Worse.SLOWER, 7: Worse.ERRORS}.get(place % 10, Worse.NOTHING),
        ),
        traffic=_traffic(random, begin, days, busy=place % 10 == 5),
        source="simulated",
    )


def _traffic(random: np.random.Generator, begin: datetime, days: int, *, busy: bool) -> Traffic:
    start = begin - timedelta(days=HISTORY_DAYS)
    minute = np.arange((HISTORY_DAYS + days + 1) * DAY_MINUTES)
    hour = (start.hour + minute / 60.0) % 24.0
    weekday = (start.weekday() + (start.hour * 60 + minute) // DAY_MINUTES) % 7
    peak = float(random.uniform(9.0, 20.0))
    apart = np.minimum(np.abs(hour - peak), 24.0 - np.abs(hour - peak))
    load = np.exp(-0.5 * (apart / float(random.uniform(2.0, 5.0))) ** 2) * np.where(weekday < 5, 1.0, 0.6)
    usual_ms = float(np.exp(random.uniform(np.log(20.0), np.log(800.0))))
    calls_minute = float(np.exp(random.uniform(np.log(2.0), np.log(40.0))))
    if busy:
        # Two to three environments at work all the time.
        rate = float(random.uniform(2.0, 3.5)) * 60_000.0 / usual_ms * (1.0 + 0.1 * load)
    else:
        rate = calls_minute * (0.3 + load)
    return Traffic(start, random.poisson(rate).astype(np.int64), usual_ms * (1.0 + _LOAD * load), False)
