"""Measure by how much the layer optimizer-warmable delays calls, and print the medians with and without it.

    PYTHONPATH=local python bench/wrapper.py [--calls 400] [--pairs 7]

Two environments of one function, one with the layer, take turns, in several pairs; the figures are the medians over the
pairs. Python runs AWS's own runtime client; Node.js runs the project's stand-in for it. INIT is the time from the start
of the process to the first answer. Ends with 1 if the median call takes a millisecond longer.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_account.lambda_runtimes.environment import Environment

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from tests.helpers.warm_layer import build_script  # noqa: E402 - found only now

GOAL_MS = 1.0
_SOURCES = {
    "app.py": "def handler(event, context):\n    return event\n",
    "index.mjs": "export const handler = async (event) => event;\n",
}
_HANDLERS = {"python": "app.handler", "nodejs": "index.handler"}
_UNCOUNTED = 50
_EVENT = {"order": 1, "lines": [{"article": number, "count": 2} for number in range(20)]}


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians in milliseconds, without and with the layer, of one pair of environments."""

    call: tuple[float, float]
    init: tuple[float, float]


def measure(runtime: str, folder: Path, wrapper: str, calls: int) -> Measured:
    """Return what calls and INIT of a runtime take without and with the layer."""
    init, taken = [], []
    with ExitStack() as open_:
        environments = []
        for script in ("", wrapper):
            began = time.perf_counter()
            one = open_.enter_context(Environment(runtime, folder, _HANDLERS[runtime], wrapper=script))
            one.invoke(_EVENT)
            init.append((time.perf_counter() - began) * 1000)
            environments.append(one)
            taken.append([0.0] * calls)
        for number in range(-_UNCOUNTED, calls):
            for environment, times in zip(environments, taken, strict=True):
                began = time.perf_counter()
                environment.invoke(_EVENT)
                if number >= 0:
                    times[number] = (time.perf_counter() - began) * 1000
    return Measured((statistics.median(taken[0]), statistics.median(taken[1])), (init[0], init[1]))


def middle(values: Iterable[float]) -> float:
    """Return the median over all pairs, because a busy machine may slow one environment down for its whole life."""
    return statistics.median(values)


def main() -> int:
    """Print the medians of both runtimes; return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=7)
    asked: Any = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, source in _SOURCES.items():
            (folder / name).write_text(source)
        wrapper = str(build_script().unpack(folder / "opt"))
        for runtime in _HANDLERS:
            found = [measure(runtime, folder, wrapper, asked.calls) for _ in range(asked.pairs)]
            overhead_ms = middle(one.call[1] - one.call[0] for one in found)
            missed |= overhead_ms >= GOAL_MS
            call, init = ([middle(getattr(one, what)[i] for one in found) for i in (0, 1)] for what in ("call", "init"))
            print(
                f"{runtime:7} call p50 {call[0]:.3f} ms without, {call[1]:.3f} ms with: {overhead_ms * 1000:+.0f} us "
                f"(goal: under {GOAL_MS * 1000:.0f}); INIT p50 {init[0]:.0f} ms without, {init[1]:.0f} ms with"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
