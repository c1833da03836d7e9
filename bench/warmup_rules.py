"""Compare the back-test's simulation with an independent scorer on the same plans: cold starts and dollars.

    python bench/warmup_rules.py SCORER TRACES [--only NAME ...]

SCORER is the scorer (score_warmups.py) with its modules beside it, TRACES its folder of series. The plans are the
scorer's own reference policies, and provisioned concurrency. Returns 1 if cold starts or dollars of a plan differ by
more than a hundredth. The scorer prices the warmer as an x86 function that does not wait for INIT; the shipped one runs
on arm64 and waits. So dollars are compared at the scorer's price of a ping, and the shipped prices are printed beside.
"""

import argparse
import importlib
import sys
from pathlib import Path

import numpy as np
from optimizer.prices import shipped_prices
from optimizer.traffic import Series
from optimizer.warmups import PingRates, Subject, TimedCalls, WarmupPlans, outcome_of, play_plans, provisioned_usd

KEEP_ALIVE_MINUTES = 10
MOST_APART = 0.01


def main() -> int:
    """Compare, print, and return 1 if anything is further apart than MOST_APART."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--only", nargs="*", default=())
    options = parser.parse_args()
    sys.path.insert(0, str(options.scorer.resolve().parent))
    rules = importlib.import_module("warmup_play")
    references = importlib.import_module("warmup_references")
    series = importlib.import_module("warmup_traffic").read(str(options.traces), options.only)
    plans = apart = 0
    totals = np.zeros(5)
    for name, each in series.items():
        subject = _subject(each)
        at = rules.arrivals(each)
        nothing = play_plans(subject, WarmupPlans(()), each.first, KEEP_ALIVE_MINUTES, at)
        for policy, plan in _plans(references, rules, each).items():
            theirs = rules.play(each, plan, KEEP_ALIVE_MINUTES * 60.0)
            ours = WarmupPlans(sorted(plan.pings.items()), plan.provisioned)
            played = play_plans(subject, ours, each.first, KEEP_ALIVE_MINUTES, at)
            outcome = outcome_of(subject, ours, played, nothing, each.first)
            ping_usd, environment_usd = rules.ping_usd(each.memory_mb)
            usd = len(ours.pings) * ping_usd + outcome.pings * environment_usd
            usd += sum(played.started) * rules.init_usd(each)
            usd += max(0.0, provisioned_usd(subject, ours.provisioned, played))
            plans += 1
            totals += (len(theirs.cold), outcome.cold_starts, theirs.usd, usd, outcome.usd)
            if _differ(len(theirs.cold), outcome.cold_starts) or _differ(theirs.usd, usd):
                apart += 1
                print(
                    f"{name}, {policy}: {len(theirs.cold)} and {outcome.cold_starts:.0f} cold starts, "
                    f"${theirs.usd:.6f} and ${usd:.6f}"
                )
    print(
        f"{plans} plans of {len(series)} series: {totals[0]:.0f} cold starts by the scorer and {totals[1]:.0f} by the "
        f"back-test, ${totals[2]:.4f} and ${totals[3]:.4f} (${totals[4]:.4f} as shipped); "
        f"{apart} plans more than {MOST_APART:.0%} apart"
    )
    return 1 if apart else 0


def _subject(series: object) -> Subject:
    values = {
        "invocations": series.minutes.astype(float),
        "duration_ms": np.where(series.minutes > 0, series.duration_s * 1000, np.nan),
        "concurrency": np.full(len(series.minutes), np.nan),
    }
    return Subject(
        series.name,
        Series(series.start, values),
        series.zone,
        series.memory_mb,
        PingRates.of(shipped_prices(), "us-east-1", "x86_64"),
        series.init_s * 1000,
        calls=TimedCalls(series.calls, series.durations),
    )


def _plans(references: object, rules: object, series: object) -> dict[str, object]:
    """Return the reference policies, and environments that are provisioned in the hours of a working day."""
    plans = references.reference_plans(series, KEEP_ALIVE_MINUTES)
    minutes = np.arange(series.end)
    for environments in (1, 3):
        held = np.where((minutes >= series.first) & (minutes // 60 % 24 // 10 == 1), environments, 0)
        plans[f"provisioned{environments}"] = rules.Plan({}, held)
    return plans


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > MOST_APART * max(abs(one), abs(other))


if __name__ == "__main__":
    sys.exit(main())
