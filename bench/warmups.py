"""Measure what the warm-up plans gain on real traffic, beside reference policies and beside knowing every call.

    python bench/warmups.py SCORER TRACES [--every 6] [--random-lives]

SCORER is the independent scorer (score_warmups.py), TRACES its folder of series; it asks `optimizer plan warmups`. It
takes ten minutes: it plans every six hours of every series at seven worths of a cold start, on two processors.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# The gain that is wanted at each worth of a cold start, as a share of what knowing every call gains.
GOALS = {
    "all": {"0.0001": 0.38, "0.0003": 0.62, "0.001": 0.74},
    "week": {"0.0001": 0.38, "0.0003": 0.60, "0.001": 0.74},
}
# No group may lose more than this, nor gain so much less than its best reference, at worths from 0.0001 on.
LEAST_GAIN = -0.01
SLACK = 0.01


def main() -> int:
    """Score, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--every", default="6", help="hours between plans")
    parser.add_argument("--random-lives", action="store_true", help="idle environments live 5 to 15 minutes")
    options = parser.parse_args()
    planner = f"{Path(sys.executable).with_name('optimizer')} plan warmups"
    with tempfile.TemporaryDirectory() as folder:
        scores = Path(folder) / "scores.json"
        lives = ["--random-lives"] if options.random_lives else []
        subprocess.run(
            [
                *(sys.executable, options.scorer, "--traces", options.traces, "--planner", planner, "--jobs", "2"),
                *("--every", options.every, "--json", scores, *lives),
            ],
            check=True,
        )
        result = json.loads(scores.read_text())
    missed = 0
    for worth, parts in result.get("gain", {}).items():
        for part, row in parts.items():
            least = GOALS.get(part, {}).get(worth, LEAST_GAIN)
            if float(worth) >= 1e-4:
                least = max(least, row["reference"] - SLACK)
            missed += row["planner"] < least
            print(
                f"gain at ${worth} a cold start, {part}: {row['planner']:.3f}, at least {least:.3f} wanted; "
                f"{row['best_reference']} {row['reference']:.3f}"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
