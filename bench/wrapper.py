"""Measure by how much the layer optimizer-warmable delays calls, and print the medians with and without it.

    PYTHONPATH=local python bench/wrapper.py [--calls 2000] [--starts 9]

Two environments of one function, one with the layer, take turns, so that noise of the machine meets both. Python runs
AWS's own runtime client; Node.js runs the project's stand-in for it. INIT is the time from the start of the process to
the first answer. Ends with 1 if the median call takes a millisecond longer.
"""

import argparse
import statistics
import sys
import tempfile
import time
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
    """Medians in milliseconds, without and with the layer."""

    call: tuple[float, float]
    init: tuple[float, float]

    @property
    def overhead_ms(self) -> float:
        return self.call[1] - self.call[0]


def measure(runtime: str, folder: Path, wrapper: str, calls: int, starts: int) -> Measured:
    """Return what a runtime takes without and with the layer."""
    wrappers = ("", wrapper)
    init: tuple[list[float], list[float]] = ([], [])
    for _ in range(starts):
        for which, script in enumerate(wrappers):
            began = time.perf_counter()
            with Environment(runtime, folder, _HANDLERS[runtime], wrapper=script) as environment:
                environment.invoke(_EVENT)
                init[which].append((time.perf_counter() - began) * 1000)
    taken: tuple[list[float], list[float]] = ([], [])
    with (
        Environment(runtime, folder, _HANDLERS[runtime]) as plain,
        Environment(runtime, folder, _HANDLERS[runtime], wrapper=wrapper) as own,
    ):
        for number in range(calls + _UNCOUNTED):
            for which, environment in enumerate((plain, own)):
                began = time.perf_counter()
                environment.invoke(_EVENT)
                if number >= _UNCOUNTED:
                    taken[which].append((time.perf_counter() - began) * 1000)
    return Measured(medians(taken), medians(init))


def medians(pair: tuple[list[float], list[float]]) -> tuple[float, float]:
    return statistics.median(pair[0]), statistics.median(pair[1])


def main() -> int:
    """Print the medians of both runtimes; return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--starts", type=int, default=9)
    asked: Any = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, source in _SOURCES.items():
            (folder / name).write_text(source)
        wrapper = str(build_script().unpack(folder / "opt"))
        for runtime in _HANDLERS:
            found = measure(runtime, folder, wrapper, asked.calls, asked.starts)
            missed |= found.overhead_ms >= GOAL_MS
            print(
                f"{runtime:7} call p50 {found.call[0]:.3f} ms without, {found.call[1]:.3f} ms with: "
                f"{found.overhead_ms * 1000:+.0f} us (goal: under {GOAL_MS * 1000:.0f}); "
                f"INIT p50 {found.init[0]:.0f} ms without, {found.init[1]:.0f} ms with"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
