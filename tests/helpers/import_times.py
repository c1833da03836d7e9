"""Measure what importing each handler costs, as a multiple of what importing boto3 costs in the same environment.

    python -m tests.helpers.import_times CHECKOUT > tests/unit/project/handler_import_times.json

The CPU time of the import counts, and of several processes the least: other work on the machine can only add to it.
What is compiled of a module is kept for the next process.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

_REFERENCE = "import boto3"
_TIMED = "import time; start = time.process_time(); {code}; print(time.process_time() - start)"
_ROUNDS = 12


@dataclass
class ImportTimes:
    """The handlers of a checkout, imported by this interpreter with its packages. `folder` keeps what is compiled."""

    checkout: Path
    folder: Path
    _least_s: dict[str, float] = field(default_factory=dict)

    def ratio(self, name: str, rounds: int = _ROUNDS) -> float:
        """Return the least time of a handler, measured so many times more, as a multiple of the reference's."""
        app = self.checkout / "functions" / name / "app.py"
        handler = (
            f"import importlib.util; spec = importlib.util.spec_from_file_location('app', {str(app)!r}); "
            "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)"
        )
        for _ in range(rounds):
            self._measure(_REFERENCE)
            self._measure(handler)
        return self._least_s[handler] / self._least_s[_REFERENCE]

    def ratio_within(self, name: str, limit: float) -> float:
        """Return the ratio, measured only as often as it takes to be within the limit."""
        found = next((ratio for _ in range(_ROUNDS) if (ratio := self.ratio(name, 1)) <= limit), None)
        return self.ratio(name) if found is None else found

    def _measure(self, code: str) -> None:
        seconds = float(self._run(code))
        if code not in self._least_s:
            # The first process compiled what it imported.
            seconds = float(self._run(code))
        self._least_s[code] = min(seconds, self._least_s.get(code, math.inf))

    def _run(self, code: str) -> str:
        variables = {
            name: "x"
            for path in (self.checkout / "layer").rglob("environment.py")
            for name in re.findall(r'"(OPTIMIZER_\w+)"', path.read_text())
        }
        environment = {
            **os.environ,
            **variables,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(self.checkout / "layer"),
            "PYTHONPYCACHEPREFIX": str(self.folder),
        }
        return subprocess.run(  # noqa: S603 - our own
            [sys.executable, "-c", _TIMED.format(code=code)],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout


def main() -> None:
    """Print the ratio of each handler of a checkout."""
    checkout = Path(sys.argv[1]).resolve()
    names = sorted(path.parent.name for path in checkout.glob("functions/*/app.py"))
    with tempfile.TemporaryDirectory() as folder:
        times = ImportTimes(checkout, Path(folder))
        sys.stdout.write(json.dumps({name: round(times.ratio(name), 3) for name in names}, indent=2) + "\n")


if __name__ == "__main__":
    main()
