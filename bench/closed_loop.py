"""Run the closed loop over simulated days, and print the savings, the savings that the curves allow, and its mistakes.

bench/closed_loop.py [--functions 40] [--days 14] [--seed 1] [--curves FOLDER] [--lines 2000] [--policy FILE]
"""

import argparse
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from local_account.closed_loop import ClosedLoop, Ended
from local_account.closed_loop_result import judge_loop
from local_account.curves import read_curves
from local_account.simulated_fleet import simulated_fleet
from optimizer.policy.model import Memory, Mode, Policy, ProvisionedConcurrency, RunLimits

BEGIN = datetime(2026, 11, 2, 9, tzinfo=UTC)
# Two weeks are short: changes may follow each other sooner than the default policy lets them, and more at once.
POLICY = Policy(
    mode=Mode.AUTO,
    memory=Memory(cool_down_days=1),
    provisioned_concurrency=ProvisionedConcurrency(max_total=1000, max_usd_day=1000.0, max_usd_month=10_000.0),
    run=RunLimits(max_changes=1000, max_changes_share=1.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=40)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    curves = read_curves(asked.curves) if asked.curves else []
    policy = Policy.from_document(json.loads(asked.policy.read_text())) if asked.policy else POLICY
    began = time.perf_counter()
    loop = ClosedLoop(
        simulated_fleet(asked.functions, BEGIN, asked.days, curves, asked.seed), policy, BEGIN, asked.lines
    )
    loop.run(asked.days, lambda day: print(f"day {day}: {len(loop.ended)} changes", file=sys.stderr))
    result = judge_loop(loop)
    source = asked.curves or "the formula"
    print(f"{result.functions} functions, {asked.days} days, curves from {source}, seed {asked.seed}")
    print(
        f"bill a month      {result.before:.2f} USD before, {result.after:.2f} after, {result.least:.2f} at the least"
    )
    print(f"saved             {result.saved:.1%}, the curves allow {result.allowed:.1%} (goal: within 5 points)")
    print(f"left too slow     {len(result.too_slow)} (goal: 0)")
    print(f"made things worse {len(result.worse)}, not rolled back {len(result.worse_kept)} (goal: 0)")
    print(f"kept              {len(result.kept)}; good ones rolled back {len(result.false_reverts)}")
    print(f"not finished      {len(result.unfinished)}")
    print(f"took              {time.perf_counter() - began:.1f} s")
    for name, slowdown in result.too_slow.items():
        print(f"  too slow: {name} {slowdown:.3f} times")
    for what, ends in (("kept though worse", result.worse_kept), ("good but rolled back", result.false_reverts)):
        for end in ends:
            print(f"  {what}: {_words(end)}")
    if asked.verbose:
        for end in loop.ended:
            print(f"  {end.status.value}: {_words(end)}")
        reasons = Counter((item.tuner.value, item.reason[:60]) for item in loop.no_changes)
        for (tuner, reason), times in reasons.most_common(25):
            print(f"  {times:5d} {tuner}: {reason}")


def _words(end: Ended) -> str:
    change = end.change
    name = change.target.rpartition(":")[2]
    return f"{end.at:%d %H:%M} {name} {dict(change.before)} to {dict(change.after)}: {end.message or change.reason}"


if __name__ == "__main__":
    main()
