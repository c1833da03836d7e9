"""Measure the regret of the memory planner on measured curves and on synthetic families, beside reference policies.

    python bench/memory.py SCORER CURVES.csv [--dataset NAME ...] [--json OUT]
    python bench/memory.py                      # the synthetic families alone

SCORER is the independent scorer, which starts `optimizer plan memory`. The regret is the difference between the goal's
value at the size kept and that at the best size. The goals are for two changes; it exits with 1 when one is missed.
Each dataset that is named is scored by itself as well, by goals of its own. For every synthetic family the regret of
the balanced goal is printed beside that of a sweep over six sizes, which needs twice as many changes and more.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from memory_families import curves
from optimizer.capacity.memory.model import SizeSeen, choose
from optimizer.prices import shipped_prices
from optimizer.prices.aws_lambda import call_usd

START_MB = 1024
PRICES = shipped_prices()
RATES = {architecture: PRICES.rates("us-east-1", architecture) for architecture in ("x86_64", "arm64")}
GOALS = {"cost": (None, 0.006), "balanced": (None, 0.050), "guarded": (1.1, 0.008)}
SWEEP = "six-size sweep"
REFERENCES = {"four sizes": (128, 512, 1769), "two sizes": (128, 1769), SWEEP: (128, 256, 512, 1536, 3008)}
# The goals of one dataset alone; of a dataset that is not listed, the figures are printed only.
DATASET_GOALS = {
    "power-tuning-url": {"cost": 0.005, "balanced": 0.060, "guarded": 0.022},
    "cebert-november-2025": {"cost": 0.005, "balanced": 0.025, "guarded": 0.022},
}
PLANNER = "planner, 2 changes"

Curve = dict[int, tuple[float, int]]


def nearest(sizes: list[int], target: float) -> int:
    """Return the size whose ratio to the target is closest to one."""
    return min(sizes, key=lambda mb: abs(math.log(mb / target)))


def value(goal: str, architecture: str, memory_mb: int, duration_ms: float) -> float:
    """Return the price of a call; for `balanced` times its duration."""
    return float(call_usd(RATES[architecture], memory_mb, duration_ms)) * (duration_ms if goal == "balanced" else 1.0)


def fast_enough(goal: str, curve: Curve, sizes: list[int]) -> list[int]:
    """Return the sizes within the goal's slowdown against the size at the start, which is always among them."""
    slowdown = GOALS[goal][0]
    if slowdown is None:
        return sizes
    start_ms = curve[nearest(sorted(curve), START_MB)][0]
    return [mb for mb in sizes if curve[mb][0] <= slowdown * start_ms]


def planned(goal: str, architecture: str, curve: Curve, changes: int) -> int:
    """Return the size that the planner ends at."""
    sizes = sorted(curve)
    current = nearest(sizes, START_MB)
    seen = [current]
    while True:
        wanted = choose(
            {mb: SizeSeen(*curve[mb]) for mb in seen},
            RATES[architecture],
            sizes,
            current,
            "cost" if goal == "guarded" else goal,
            GOALS[goal][0],
            changes + 1 - len(seen),
        ).memory_mb
        if wanted in seen:
            return wanted
        current = wanted
        seen.append(current)


def measured(goal: str, architecture: str, curve: Curve, targets: tuple[int, ...]) -> int:
    """Return the best of the sizes nearest to fixed ones."""
    sizes = sorted(curve)
    seen = fast_enough(goal, curve, [nearest(sizes, target) for target in (START_MB, *targets)])
    return min(seen, key=lambda mb: value(goal, architecture, mb, curve[mb][0]))


def regret(goal: str, architecture: str, curve: Curve, kept: int) -> float:
    """Return the share by which the size kept is worse than the best."""
    best = min(value(goal, architecture, mb, curve[mb][0]) for mb in fast_enough(goal, curve, sorted(curve)))
    return max(0.0, value(goal, architecture, kept, curve[kept][0]) / best - 1.0)


def on_families(seed: int, each: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return the mean regret by goal, policy and family."""
    result: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for (family, _, architecture), curve in curves(seed, each).items():
        for goal in GOALS:
            ends = {name: measured(goal, architecture, curve, targets) for name, targets in REFERENCES.items()}
            ends[PLANNER] = planned(goal, architecture, curve, changes=2)
            for policy, kept in ends.items():
                for group in (family, "all"):
                    result[goal][policy][group].append(regret(goal, architecture, curve, kept))
    return {
        goal: {policy: {f: statistics.fmean(r) for f, r in families.items()} for policy, families in policies.items()}
        for goal, policies in result.items()
    }


def on_curves(scorer: Path, curves_csv: Path, dataset: str | None) -> dict[str, Any]:
    """Return the independent scorer's figures, of one dataset alone where it is named."""
    planner = f"{Path(sys.executable).with_name('optimizer')} plan memory"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        command = [sys.executable, str(scorer), "--curves", str(curves_csv), "--planner", planner, "--json", str(out)]
        command += ["--dataset", dataset] if dataset else []
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        figures: dict[str, Any] = json.loads(out.read_text())
    return figures


def print_measured(figures: dict[str, Any], goals: dict[str, float]) -> bool:
    """Print the scorer's figures beside the goals; return True if one is missed."""
    missed = False
    for goal, rows in figures.items():
        for policy, row in rows.items():
            note = ""
            if policy == PLANNER and goal in goals:
                good = row["regret_mean"] <= goals[goal] and row["too_slow"] == 0.0
                missed |= not good
                note = f"  <= {goals[goal]:.3f} {'ok' if good else 'MISSED'}"
            print(f"  {goal:9} {policy:20} {row['regret_mean']:7.4f}  changes {row['changes_mean']:.2f}{note}")
    return missed


def print_families(figures: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the mean of each goal and policy, and the balanced goal of each family."""
    for goal, policies in figures.items():
        for policy, families in policies.items():
            worst = max((f for f in families if f != "all"), key=lambda f: families[f])
            print(f"  {goal:9} {policy:20} {families['all']:7.4f}  worst: {worst} {families[worst]:.4f}")
    print(f"balanced, each synthetic family: {PLANNER}; {SWEEP}")
    for family, found in figures["balanced"][PLANNER].items():
        print(f"  {family:26} {found:7.4f} {figures['balanced'][SWEEP][family]:7.4f}")


def main() -> None:
    """Measure and print; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scorer", type=Path, nargs="?")
    parser.add_argument("curves", type=Path, nargs="?")
    parser.add_argument("--dataset", nargs="*", default=[], help="datasets of the file to score by themselves as well")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=18, help="synthetic curves a family")
    parser.add_argument("--json", type=Path, help="write every figure here")
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    missed = False
    if args.scorer and args.curves:
        print("measured curves")
        figures["curves"] = on_curves(args.scorer, args.curves, None)
        missed |= print_measured(figures["curves"], {goal: most for goal, (_, most) in GOALS.items()})
        for dataset in args.dataset:
            print(f"{dataset} alone")
            figures[dataset] = on_curves(args.scorer, args.curves, dataset)
            missed |= print_measured(figures[dataset], DATASET_GOALS.get(dataset, {}))
    print("synthetic families")
    figures["families"] = on_families(args.seed, args.each)
    print_families(figures["families"])
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
