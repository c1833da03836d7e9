"""Let running calls end with the code they began with when a function is updated; MiniStack 1.5.33 kills them."""

import threading
import time
from collections.abc import Iterable
from typing import Any

from ministack.core import lambda_runtime

_LONGEST_S = 300.0
_LOOK_EVERY_S = 0.05


def patch() -> None:
    """Replace how the emulator ends workers of a former configuration."""
    kill = lambda_runtime.kill_workers

    def end_when_idle(workers: list[Any]) -> None:
        deadline = time.monotonic() + _LONGEST_S
        while any(worker.in_use for worker in workers) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        kill(workers)

    def kill_workers(workers: Iterable[Any]) -> None:
        known = [worker for worker in workers if worker is not None]
        busy = [worker for worker in known if worker.in_use]
        kill([worker for worker in known if not worker.in_use])
        if busy:
            threading.Thread(target=end_when_idle, args=(busy,), daemon=True).start()

    lambda_runtime.kill_workers = kill_workers
