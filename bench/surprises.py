"""Measure what hourly plans gain over plans for six hours where traffic is far above its forecast, and their cost.

    python bench/surprises.py [--count 200] [--seed 1]

Functions with a daily rhythm of two weeks are called 3 to 10 times as often as before from a random minute on. The same
planner plans every six hours and every hour, and both are played call by call. Counted are the cold starts from an hour
after the surprise up to six hours after it, and the dollars of the day. Returns 1 if less than half of the cold starts
are gone, or if that costs more than it is worth. Each surprise takes five seconds.
"""

import argparse
import sys

import numpy as np
from optimizer.assess import METRICS_A_RUN
from optimizer.policy import Warmups
from optimizer.prices import services, shipped_prices
from optimizer.traffic import DAY_MINUTES, Series
from optimizer.warmups import PingRates, Subject, WarmupPlans, adjust_policy, outcome_of, planned_warmups, play_plans

# A midnight.
START = 29_000_160
LEARNT_MINUTES = 14 * DAY_MINUTES
COUNTED_MINUTES = (60, 360)
LEAST_GONE = 0.5
FUNCTIONS = 1000


def main() -> int:
    """Plan, play, print, and return 1 if too little is gained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    rows = np.array([_played(*_surprise(random, number)) for number in range(options.count)])
    cold_six, cold_hourly, usd_six, usd_hourly, worth = rows.sum(axis=0)
    gone, more_usd = 1 - cold_hourly / max(cold_six, 1), usd_hourly - usd_six
    print(
        f"{options.count} surprises: {cold_six:.0f} cold starts after the first hour with plans for six hours, "
        f"{cold_hourly:.0f} with hourly plans; {gone:.0%} are gone, for ${more_usd:.4f}; they are worth ${worth:.4f}"
    )
    renewal_usd = FUNCTIONS * METRICS_A_RUN * services.METRIC_USD
    print(
        f"reading the new points of {FUNCTIONS} functions costs ${renewal_usd:.3f} a renewal: "
        f"${4 * renewal_usd:.2f} a day every six hours, ${24 * renewal_usd:.2f} every hour"
    )
    return 0 if gone >= LEAST_GONE and more_usd < worth else 1


def _surprise(random: np.random.Generator, number: int) -> tuple[Subject, int]:
    """Return a function and the minute from which on it is called more often."""
    minute = np.arange(LEARNT_MINUTES + DAY_MINUTES)
    time_of_day = minute % DAY_MINUTES / DAY_MINUTES - random.uniform(0.2, 0.4)
    rate = random.uniform(0.02, 2) * np.clip(np.sin(2 * np.pi * time_of_day), 0.05, None)
    surprise = LEARNT_MINUTES + int(random.integers(60, DAY_MINUTES - COUNTED_MINUTES[1]))
    rate[surprise:] *= random.uniform(3, 10)
    calls = random.poisson(rate).astype(float)
    values = {
        "invocations": calls,
        "duration_ms": np.where(calls > 0, 1500.0, np.nan),
        "concurrency": np.full(len(calls), np.nan),
    }
    return Subject(
        f"surprise {number}",
        Series(START, values),
        "UTC",
        1024,
        PingRates.of(shipped_prices(), "us-east-1", "x86_64"),
        800.0,
    ), surprise


def _played(subject: Subject, surprise: int) -> tuple[float, ...]:
    """Return cold starts with plans for six hours and for one, their dollars, and the worth of the difference."""
    policy = adjust_policy(Warmups(), Warmups().keep_alive_minutes, subject.function)
    begin, end = ((surprise + minutes) * 60 for minutes in COUNTED_MINUTES)
    nothing = play_plans(subject, WarmupPlans(()), LEARNT_MINUTES, policy.keep_alive_minutes)
    cold, usd = [], []
    for hours in (6, 1):
        plans = planned_warmups(subject, policy, range(LEARNT_MINUTES, len(subject.minutes), hours * 60))
        played = play_plans(subject, plans, LEARNT_MINUTES, policy.keep_alive_minutes)
        cold.append(float(((played.cold_at >= begin) & (played.cold_at < end)).sum()))
        usd.append(outcome_of(subject, plans, played, nothing, LEARNT_MINUTES).net_usd)
    return (*cold, *usd, policy.usd_per_cold_start * (cold[0] - cold[1]))


if __name__ == "__main__":
    sys.exit(main())
