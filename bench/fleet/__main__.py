"""Measure the function branch of a run over fleets of several sizes, beside the plain way of reading the same data.

    python bench/fleet [--sizes 100 1000 10000] [--schedule daily|weekly] [--unpaced] [--json OUT]

The shipped handlers run unchanged, each in a process of its own, with the input of the shipped schedule, against a
stand-in for AWS (service.py) that pages, limits, throttles and takes 20 ms a call. Lambda's control plane answers 15
calls a second in it, and 100 of GetFunction. Every function was analysed the day before, as on any day but the first.
The plain way takes three calls for the settings of each function, one GetMetricStatistics for each of its metrics and
one log query, five functions at a time; both meet the same quotas and read settings, metrics and logs.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from account import Service
from bill import bill_usd, transitions
from plain_way import read_plainly
from run import run_fleet
from service import POINTS_S
from shipped import SCHEDULES, default_of, tuners_of

GOALS = {
    "calls": 0.1,
    "usd": 0.10,
    "speed": 30.0,
    "memory_mb": 256.0,
    "timeout_share": 0.1,
    "state_kib": 64.0,
    "control_calls": 4.0,
    "shared_calls": 2.0,
}
MOST_PLAIN = 1000
BATCHES_AT_ONCE = int(default_of("BatchesAtOnce"))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--schedule", choices=SCHEDULES, default="daily", help="whose input the run has")
    parser.add_argument("--unpaced", action="store_true", help="without Lambda's quota, for both")
    parser.add_argument("--workers", type=int, default=BATCHES_AT_ONCE, help="batches at once on this machine")
    parser.add_argument("--plain", type=int, default=MOST_PLAIN, help="functions to read in the plain way, at most")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    tuners = tuners_of(asked.schedule)
    figures = {}
    for size in asked.sizes:
        with Service(size, paced=not asked.unpaced) as service:
            service.remember_yesterday()
            service.reset()
            done = run_fleet(service, tuners, asked.workers)
            counted = service.counted()
            usd = bill_usd(done, counted)
            calls = sum(n for name, n in counted["calls"].items() if name.startswith("GraniteServiceVersion"))
            print(f"\n{size} functions, {asked.schedule} run ({' '.join(tuners)}), {len(done.batches)} batches")
            print(f"  CloudWatch calls   {calls} ({calls / size:.3f} a function; goal {GOALS['calls']})")
            print(f"  all API calls      {sum(n for k, n in counted['calls'].items() if not k.startswith('refused'))}")
            print(f"  refused calls      {dict(refused_of(counted))}")
            control, shared = control_plane_calls(counted)
            print(f"  of Lambda's plane  {control / size:.2f} a function (goal {GOALS['control_calls']:.0f}), of which")
            print(
                f"                     {shared / size:.2f} in the shared 15 a second (goal {GOALS['shared_calls']:.0f})"
            )
            print(f"  wall time          {done.wall_s:.1f} s here with {asked.workers} batches at once,")
            print(f"                     {done.makespan_s:.1f} s with the {done.at_once} of the state machine")
            print(f"  CPU                {done.cpu_s:.1f} s, {1000 * done.cpu_s / size:.0f} ms a function")
            for name, cost in done.costs.items():
                print(
                    f"    {name:18} {cost.wall_s:6.1f} s at most of {cost.timeout_s:.0f} s, "
                    f"{cost.peak_mb:4.0f} MB at most of {cost.memory_mb} MB, {cost.cpu_s:7.1f} s CPU in all"
                )
            peak = max(cost.peak_mb for cost in done.costs.values())
            share = max(cost.wall_s / cost.timeout_s for cost in done.costs.values())
            print(f"  largest Lambda     {peak:.0f} MB (goal {GOALS['memory_mb']:.0f})")
            print(f"  longest Lambda     {share:.0%} of its timeout (goal {GOALS['timeout_share']:.0%})")
            print(f"  state transitions  {transitions(len(done.batches))}")
            print(f"  largest state      {done.state_bytes / 1024:.1f} KiB (goal {GOALS['state_kib']:.0f})")
            most = Counter({k: n for k, n in counted["calls"].items() if not k.startswith("refused")}).most_common(8)
            print(f"  most frequent      {', '.join(f'{name} {n}' for name, n in most)}")
            print(f"  bill of the run    {sum(usd.values()):.4f} USD ({1000 * sum(usd.values()) / size:.4f} for 1,000)")
            print(f"                     {', '.join(f'{k} {v:.4f}' for k, v in usd.items())}")
            figures[size] = {"calls": calls, "usd": usd, "wall_s": done.wall_s, "makespan_s": done.makespan_s}
            if size <= MOST_PLAIN:
                sample = service.names[: asked.plain]
                service.reset()
                began = time.perf_counter()
                with ThreadPoolExecutor(5) as pool:
                    list(pool.map(lambda name, on=service: read_plainly(on, name), sample))
                # Each function takes what it takes; a sample stands for all.
                plain_s = (time.perf_counter() - began) * size / len(sample)
                plain = service.counted()
                print(f"  the plain way      {plain_s:.1f} s, five at a time, by {len(sample)} functions")
                print(f"                     refused calls {dict(refused_of(plain))}")
                # Two batches at a time do not meet the limit that twenty do.
                limit_s = counted["points"] / POINTS_S
                print(f"                     reading takes {done.reading_s:.1f} s here; the quota of CloudWatch alone,")
                print(f"                     {POINTS_S:,.0f} points a second, lets it take {limit_s:.1f} s:")
                times = plain_s / max(done.reading_s, limit_s)
                print(f"                     {times:.0f} times as fast (goal {GOALS['speed']:.0f})")
                figures[size] |= {"plain_s": plain_s, "reading_s": done.reading_s, "limit_s": limit_s}
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


def refused_of(counted: Mapping[str, Any]) -> dict[str, int]:
    """Return the calls that the stand-in refused, by error."""
    return {name.partition(".")[2]: n for name, n in counted["calls"].items() if name.startswith("refused.")}


def control_plane_calls(counted: Mapping[str, Any]) -> tuple[int, int]:
    """Return the answered calls of Lambda's control plane, and those of the quota that all of its callers share."""
    calls = {name: n for name, n in counted["calls"].items() if name.startswith("Lambda.")}
    return sum(calls.values()), sum(n for name, n in calls.items() if name != "Lambda.GetFunction")


if __name__ == "__main__":
    main()
