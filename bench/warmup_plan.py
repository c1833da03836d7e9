"""Measure the CPU time of planning the warm-ups of one function, beside that of reading its history.

    python bench/warmup_plan.py

The least of several rounds counts.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from optimizer.prices import shipped_prices
from optimizer.traffic.history import HOUR_METRICS, History, Series, empty_series
from optimizer.warmups import PingRates, WarmupRequest, plan_warmups

DAY = 1440
GOAL_MS = 50.0
ROUNDS = 15


def main() -> int:
    """Measure, print, and return 1 if the goal is missed."""
    random = np.random.default_rng(11)
    rate = 600 * (1.5 + np.sin(np.arange(15 * DAY) / DAY * 2 * np.pi))
    calls = random.poisson(rate).astype(float)
    request = WarmupRequest(
        start=datetime(2026, 3, 10, tzinfo=UTC),
        hours_ahead=24,
        time_zone="UTC",
        duration_ms=600.0,
        init_ms=500.0,
        memory_mb=512,
        rates=PingRates.of(shipped_prices(), "us-east-1", "arm64"),
        keep_alive_minutes=10,
        usd_per_cold_start=0.0003,
        minutes=calls,
        hours=random.poisson(rate.reshape(-1, 60).sum(1).mean(), 63 * 24).astype(float),
        hour_peaks=np.full(63 * 24, 20.0),
    )
    values = {"invocations": calls, "duration_ms": np.full(15 * DAY, 600.0), "concurrency": calls}
    stored = History(Series(0, values), empty_series(HOUR_METRICS)).to_bytes()
    planning, reading = cpu_ms(lambda: plan_warmups(request)), cpu_ms(lambda: History.from_bytes(stored))
    print(f"planning a day from fifteen days of minutes: {planning:.1f} ms of CPU, goal {GOAL_MS:.0f}")
    print(f"reading those fifteen days from their file:  {reading:.1f} ms of CPU")
    return int(planning > GOAL_MS)


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the least CPU time of several rounds, in ms."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return 1000 * min(took)


if __name__ == "__main__":
    raise SystemExit(main())
