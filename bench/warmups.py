"""Measure how many cold starts the warm-up plans leave, at equal idle time, beside the reference policies.

    python bench/warmups.py SCORER TRACES [--every 6] [--keep-alive 10]

SCORER is the independent scorer (score_warmups.py), TRACES its folder of invocation traces; it asks `optimizer plan
warmups`. It takes several minutes: it plans every six hours of every series at seven values of a cold start.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# Cold starts left at the idle time of the reference's quantiles, as a share of those with no warming.
GOALS = {"q50": 0.20, "q80": 0.08, "q95": 0.03}
LEAST_COLD_STARTS = 10
# A day ahead may leave a fifth more; so may other keep-alives.
SLACK = 1.2


def main() -> int:
    """Score, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--every", default="6", help="hours between plans")
    parser.add_argument("--keep-alive", default="10", help="minutes")
    options = parser.parse_args()
    planner = f"{Path(sys.executable).with_name('optimizer')} plan warmups"
    with tempfile.TemporaryDirectory() as folder:
        scores = Path(folder) / "scores.json"
        subprocess.run(
            [
                *(sys.executable, options.scorer, "--traces", options.traces, "--planner", planner),
                *("--every", options.every, "--keep-alive", options.keep_alive, "--json", scores),
            ],
            check=True,
        )
        result = json.loads(scores.read_text())
    slack = 1.0 if (options.every, options.keep_alive) == ("6", "10") else SLACK
    missed = 0
    for name, goal in GOALS.items():
        left = result["at_reference_idle"][name]
        missed += left > goal * slack
        reference = result["reference"][name]["cold_left"]
        goals = f"goal {goal * slack:.3f}, reference {reference:.3f}"
        print(f"cold starts left at the idle time of {name}: {left:.3f}, {goals}")
    worse = _worse_than_flat(result)
    print(f"series worse than the flat warmer at equal idle time: {', '.join(worse) or 'none'}")
    return 1 if missed or worse else 0


def _worse_than_flat(result: dict) -> list[str]:
    """Return series (ten or more cold starts) with more left than by the flat warmer at its idle time."""
    worse = []
    for name, flat in result["reference"]["flat2"]["series"].items():
        if flat["cold_unwarmed"] < LEAST_COLD_STARTS:
            continue
        points = [(0.0, 1.0)]
        points += [
            (max(s["idle_minutes"], 0), s["cold_left"]) for s in (r["series"][name] for r in result["planner"].values())
        ]
        points.sort()
        left = _read_off(points, max(flat["idle_minutes"], 0))
        if left > flat["cold_left"] + 1e-9:
            worse.append(f"{name} ({left:.2f} against {flat['cold_left']:.2f})")
    return worse


def _read_off(points: list[tuple[float, float]], idle: float) -> float:
    """Return the least share that is left at this idle time or less, along the straight lines between the points."""
    best = 1.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 > idle:
            break
        best = min(best, y0)
        if x1 <= idle:
            best = min(best, y1)
        elif x1 > x0:
            best = min(best, y0 + (y1 - y0) * (idle - x0) / (x1 - x0))
    return best


if __name__ == "__main__":
    sys.exit(main())
