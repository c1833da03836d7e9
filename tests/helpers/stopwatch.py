"""Time a block, without the time in which the machine let nothing of this process run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_TICK_S = 0.002
# A sleeping thread wakes up late by less than this on an idle machine, and by the interpreter's turns on a busy one.
_STALL_S = 0.02


@dataclass
class Took:
    """The durations of a block, set at its end: `whole_s` by the clock, `stalled_s` of it without any progress."""

    whole_s: float = 0.0
    stalled_s: float = 0.0

    @property
    def own_s(self) -> float:
        """Return the time that the block itself waited and worked."""
        return self.whole_s - self.stalled_s


@contextmanager
def took() -> Iterator[Took]:
    """Yield the durations of a block, set at its end."""
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
