"""Measure how often the canary test is wrong: an unchanged function is rolled back, or a slower one kept.

    python bench/canary.py [--trials 1000] [--json OUT]

The simulation judges calls of two versions behind an alias after 15, 60 and 360 minutes and, where those are too few to
tell, for up to 72 hours. Durations are log-normal, one call in a hundred is several times longer, traffic and durations
follow the hour, minutes are slow for both versions together, and environments (fewer for the canary) differ in speed.
"direct" has no second version: the same hours a week before are the other side, and durations drift between the weeks
(2 % median, 15 % at the 90th percentile); the five weeks before show five such steps. bench/canary_noise.py plays the
noise of real machines.
The plain rule beside it keeps the change if the mean at the last check is within the limit.
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from optimizer.capacity.canary import CanaryComparison, LookKind, judge
from optimizer.capacity.duration_ratios import Minute, Side, part_minutes
from optimizer.capacity.observation_times import ObservationTimes
from optimizer.capacity.usual_steps import Steps, UsualSteps
from optimizer.policy.model import Memory

TIMES = ObservationTimes.of(Memory(), datetime(2026, 1, 1, tzinfo=UTC))
LOOKS = TIMES.minutes
MAX_SLOWDOWN = 1.1
CANARY_WEIGHT = 0.1
ENVIRONMENT_SD = 0.03
ENVIRONMENT_MINUTES = 60
MINUTE_SD = 0.08
DRIFT = ((0.012, 0.62), (0.05, 0.22), (0.2, 0.16))
WEEKS_BEFORE = 5
GOAL_FALSE_ALARMS = 0.02

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """A simulated case; `slower` is the duration of the new side as a multiple of the old one."""

    name: str
    slower: float
    calls_a_minute: float
    spread: float = 0.5
    direct: bool = False


CASES = tuple(
    Case(f"{name}, {calls:g} calls/min, spread {spread:g}", slower, calls, spread)
    for name, slower in (("A/A", 1.0), ("15 % slower", 1.15), ("30 % slower", 1.3), ("20 % faster", 0.8))
    for calls, spread in ((1.0, 0.5), (5.0, 0.5), (30.0, 0.5), (30.0, 1.2), (200.0, 0.5), (200.0, 1.2))
) + tuple(
    Case(f"{name}, direct, {calls:g} calls/min", slower, calls, direct=True)
    for name, slower in (("A/A", 1.0), ("15 % slower", 1.15))
    for calls in (5.0, 30.0, 200.0)
)


def minutes_of(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return traffic and duration of each minute as multiples of their mean: the hour, and runs of slow minutes."""
    at = np.arange(LOOKS[-1])
    phase = rng.uniform(0, 2 * math.pi)
    traffic = 1 + 0.7 * np.sin(2 * math.pi * at / 1440 + phase)
    slow = np.empty(len(at))
    state = 0.0
    for minute, shock in enumerate(rng.normal(0, MINUTE_SD * math.sqrt(1 - 0.8**2), len(at))):
        state = 0.8 * state + shock
        slow[minute] = state
    return traffic, np.exp(slow) * (1 + 0.15 * np.sin(2 * math.pi * at / 1440 + phase))


def calls_of(rng: np.random.Generator, case: Case, rate: Array, level: Array) -> tuple[NDArray[np.int64], Array]:
    """Return minute and duration in ms of each call of one side."""
    minute = np.repeat(np.arange(len(rate)), rng.poisson(rate))
    environments = max(1, math.ceil(rate.mean() / 60))
    speeds = np.exp(rng.normal(0, ENVIRONMENT_SD, (len(rate) // ENVIRONMENT_MINUTES + 1, environments)))
    speed = speeds[minute // ENVIRONMENT_MINUTES, rng.integers(0, environments, len(minute))]
    durations = 80.0 * level[minute] * speed * rng.lognormal(-(case.spread**2) / 2, case.spread, len(minute))
    return minute, np.where(rng.random(len(minute)) < 0.01, durations * (3 + rng.pareto(2.5, len(minute))), durations)


def side(minute: NDArray[np.int64], durations_ms: Array, end: int) -> Side:
    """Return the metrics that CloudWatch shows of the calls before minute `end`."""
    seen = minute < end
    counts = np.bincount(minute[seen], minlength=end)
    totals = np.bincount(minute[seen], weights=durations_ms[seen], minlength=end)
    means = np.divide(totals, counts, out=np.zeros(end), where=counts > 0)
    quantiles = np.quantile(durations_ms[seen], (0.9, 0.95, 0.99)).tolist() if seen.any() else (None, None, None)
    minutes = tuple(Minute(float(n), mean) for n, mean in zip(counts, means.tolist(), strict=True))
    length = part_minutes(end)
    part = minute[seen] // length
    counts = np.bincount(part, minlength=math.ceil(end / length))
    parts = tuple(
        Minute(float(n), 0.0, middle if n else None)
        for n, middle in zip(counts, medians_of(part, durations_ms[seen], counts).tolist(), strict=True)
    )
    return Side(minutes, 0.0, 0.0, *quantiles, parts)


def medians_of(minute: NDArray[np.int64], durations_ms: Array, counts: NDArray[np.int64]) -> Array:
    """Return the median duration in ms of each part."""
    last = len(durations_ms) - 1
    if last < 0:
        return np.zeros(len(counts))
    # One sort of plain numbers, the part before the point and the duration behind it, is faster than one by two keys.
    scale = 2 * durations_ms.max()
    in_order = np.sort(minute + durations_ms / scale)
    in_order = (in_order - np.floor(in_order)) * scale
    first = np.cumsum(counts) - counts
    lower = np.minimum(first + np.maximum(counts - 1, 0) // 2, last)
    upper = np.minimum(first + counts // 2, last)
    return np.asarray((in_order[lower] + in_order[upper]) / 2)


def trial(rng: np.random.Generator, case: Case) -> tuple[str, bool]:
    """Return the outcome of one change, and whether the plain rule would keep it."""
    traffic, level = minutes_of(rng)
    rate = case.calls_a_minute * traffic
    if case.direct:
        drifts = rng.normal(
            0, math.sqrt(2) * rng.choice([s for s, _ in DRIFT], p=[p for _, p in DRIFT]), WEEKS_BEFORE + 1
        )
        drift = float(np.exp(drifts[0]))
        before = Steps(float(np.mean(drifts[1:] ** 2)), WEEKS_BEFORE)
        usual = UsualSteps(before, before, before)
        rate_before = rate * np.exp(rng.normal(0, 0.2))
        rates, levels = (
            (rate_before, rate),
            (level * np.exp(rng.normal(0, 0.05, len(level))), level * case.slower * drift),
        )
        ratio = 1.0
    else:
        rates, levels = (rate * (1 - CANARY_WEIGHT), rate * CANARY_WEIGHT), (level, level * case.slower)
        ratio, usual = CANARY_WEIGHT / (1 - CANARY_WEIGHT), None
    old, new = (np.empty(0, np.int64), np.empty(0)), (np.empty(0, np.int64), np.empty(0))
    begin = 0
    for number, end in enumerate(LOOKS):
        old, new = (
            more(had, begin, calls_of(rng, case, rate_of[begin:end], level_of[begin:end]))
            for had, rate_of, level_of in zip((old, new), rates, levels, strict=True)
        )
        begin = end
        look = TIMES.kind(number)
        comparison = CanaryComparison(side(*old, end), side(*new, end), MAX_SLOWDOWN, ratio, usual=usual)
        health = judge(comparison, len(LOOKS), look)
        ended = not health.healthy or (look is not LookKind.EARLY and health.enough)
        if ended:
            break
    plain = len(new[1]) > 0 and float(new[1].mean()) <= MAX_SLOWDOWN * float(old[1].mean())
    if health.healthy:
        return "kept", plain
    unsure = "too few" in health.reason or "no data" in health.reason
    return ("too few calls" if unsure else "rolled back"), plain


def more(
    had: tuple[NDArray[np.int64], Array], begin: int, came: tuple[NDArray[np.int64], Array]
) -> tuple[NDArray[np.int64], Array]:
    """Return the calls so far with those that came since minute `begin`."""
    return np.concatenate((had[0], came[0] + begin)), np.concatenate((had[1], came[1]))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", type=Path, help="write every figure here")
    args = parser.parse_args()
    print(f"{'':42}  kept  rolled back  too few calls   plain rule keeps   ({args.trials} trials)")
    figures = {}
    started = time.perf_counter()
    for number, case in enumerate(CASES):
        if args.only not in case.name:
            continue
        rng = np.random.default_rng((args.seed, number))
        outcomes = [trial(rng, case) for _ in range(args.trials)]
        shares = {
            end: sum(o == end for o, _ in outcomes) / len(outcomes) for end in ("kept", "rolled back", "too few calls")
        }
        shares["plain"] = sum(plain for _, plain in outcomes) / len(outcomes)
        figures[case.name] = shares
        wrong = None
        if not case.direct and case.slower == 1.0:
            wrong = shares["rolled back"] >= GOAL_FALSE_ALARMS
        elif case.slower > MAX_SLOWDOWN:
            wrong = shares["kept"] >= GOAL_FALSE_ALARMS
        note = "" if wrong is None else f"  < {GOAL_FALSE_ALARMS:.0%} wrong: {'MISSED' if wrong else 'ok'}"
        print(
            f"{case.name:42} {shares['kept']:6.1%}  {shares['rolled back']:8.1%}  {shares['too few calls']:11.1%}"
            f"  {shares['plain']:15.1%}{note}",
            flush=True,
        )
    print(f"{time.perf_counter() - started:.0f} s")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
