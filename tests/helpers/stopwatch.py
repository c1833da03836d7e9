"""How long something took, told apart from how long the machine let nothing of this process run meanwhile."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_TICK_S = 0.002
# A thread that only sleeps wakes up late by less on an idle machine, and by the interpreter's turns on a busy one.
_STALL_S = 0.02


@dataclass
class Took:
    """`whole_s` by the clock, `stalled_s` of it nothing ran; both are there when it is over."""

    whole_s: float = 0.0
    stalled_s: float = 0.0

    @property
    def own_s(self) -> float:
        """What is to be answered for: waiting and working."""
        return self.whole_s - self.stalled_s


@contextmanager
def took() -> Iterator[Took]:
    """Times its block."""
    measured, over = Took(), threading.Event()

    def tick() -> None:
        before = time.perf_counter()
        while not over.is_set():
            time.sleep(_TICK_S)
            now = time.perf_counter()
            late_s = now - before - _TICK_S
            measured.stalled_s += late_s if late_s > _STALL_S else 0.0
            before = now

    ticking = threading.Thread(target=tick)
    ticking.start()
    began = time.perf_counter()
    try:
        yield measured
    finally:
        measured.whole_s = time.perf_counter() - began
        over.set()
        ticking.join()
