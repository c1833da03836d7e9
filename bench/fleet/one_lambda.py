"""Serve as one warm environment of a Lambda: read events by line, and print the cost of each.

python one_lambda.py functions/NAME/app.py
"""

import importlib.util
import json
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from botocore.client import BaseClient

_WRITES = re.compile("Put|Update|Transact|Delete|Publish")


class Reading:
    """The time of the last answer to a call that reads."""

    def __init__(self) -> None:
        self.until = 0.0

    def watch(self) -> None:
        """Note the end of each call of AWS that reads."""
        call = BaseClient._make_api_call  # type: ignore[attr-defined]

        def noted(client: BaseClient, operation: str, request: object) -> object:
            try:
                return call(client, operation, request)
            finally:
                if not _WRITES.match(operation):
                    self.until = time.perf_counter()

        BaseClient._make_api_call = noted  # type: ignore[attr-defined]


def main() -> None:
    """Import the handler as Lambda does, once, then answer until standard input ends."""
    path = Path(sys.argv[1])
    spec = importlib.util.spec_from_file_location("app", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    answers, reading = sys.stdout, Reading()
    reading.watch()
    # The log of the handler must not mix with its responses.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 600_000)
        answer = module.handler(json.loads(line), context)
        cost = {
            "answer": answer,
            "wall_s": time.perf_counter() - began,
            "reading_s": max(0.0, reading.until - began),
            "cpu_s": time.process_time() - cpu,
            "peak_mb": _peak_mb(),
        }
        answers.write(json.dumps(cost) + "\n")
        answers.flush()


def _peak_mb() -> float:
    # ru_maxrss would start at the peak of the parent process.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main()
