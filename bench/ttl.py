"""Measure predicted hit ratios and allocated TTLs on access traces, beside the reference estimates.

    python bench/ttl.py SCORER TRACE.csv.gz [TRACE.csv.gz ...] [--json OUT]

SCORER is the independent scorer, which starts `optimizer plan ttl`, learns from the first half of a trace and judges on
the second. It prints each figure with its limit and that of the per-key Poisson formula, and exits with 1 when one is
exceeded.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LIMITS = (
    ("planner", "worst_pp", "<=", 1.0),
    ("planner, sampled", "worst_pp", "<=", 1.2),
    ("planner", "reachable_error_pp", "<=", 1.5),
    ("planner, sampled", "reachable_error_pp", "<=", 1.5),
    ("allocation", "captured", ">=", 0.8),
    ("allocation", "over_budget", "<=", 0.1),
)


def score(scorer: Path, trace: Path) -> dict[str, Any]:
    """Return the scorer's figures for one trace."""
    planner = f"{Path(sys.executable).with_name('optimizer')} plan ttl"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        command = [sys.executable, str(scorer), "--trace", str(trace), "--planner", planner, "--json", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        figures: dict[str, Any] = json.loads(out.read_text())
    return figures


def show(trace: Path, figures: dict[str, Any], seconds: float) -> bool:
    """Print one line for each figure; return whether all keep their limits."""
    print(f"{trace.name}  ({seconds:.1f} s)")
    kept = True
    for part, name, sign, limit in LIMITS:
        figure = figures.get(part, {}).get(name)
        if figure is None:
            continue
        good = figure <= limit if sign == "<=" else figure >= limit
        kept &= good
        reference = ""
        if name == "worst_pp":
            reference = f"  poisson {figures['poisson'][name]}, mean rate {figures['mean rate'][name]}"
        if name == "captured":
            reference = f"  saved {figures[part]['memory_saved']} of {figures[part]['possible']} possible"
        print(f"  {part:17} {name:19} {figure:8.3f}  {sign} {limit:<5} {'ok' if good else 'MISSED'}{reference}")
    return kept


def main() -> None:
    """Score every trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scorer", type=Path)
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, help="write every figure here")
    args = parser.parse_args()
    figures, kept = {}, True
    for trace in args.traces:
        started = time.perf_counter()
        figures[trace.name] = score(args.scorer, trace)
        kept &= show(trace, figures[trace.name], time.perf_counter() - started)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
