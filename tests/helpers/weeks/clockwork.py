"""Run executions side by side in virtual time: one at a time, and the clock jumps to whatever comes next."""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.helpers.faults.stage import Clock


@dataclass(eq=False)
class _Task:
    """One execution: it runs while it has the turn, and `waits` counts its waits, so that an old alarm wakes nobody."""

    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    waits: int = 0


@dataclass
class Clockwork:
    """The order of events. `told` holds the outputs of ended waits for a token, None after a timeout."""

    _alarms: list[tuple[datetime, int, _Task, int]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _current: _Task | None = None
    _waiting: dict[str, tuple[_Task, int]] = field(default_factory=dict)
    _failures: list[BaseException] = field(default_factory=list)
    told: dict[str, str | None] = field(default_factory=dict)

    def at(self, moment: datetime, act: Callable[[], object]) -> None:
        """Let something begin at a moment."""
        task = _Task()

        def run() -> None:
            task.go.acquire()
            try:
                act()
            except BaseException as failure:  # noqa: BLE001 - it is raised where the test waits
                self._failures.append(failure)
            self._turn.release()

        threading.Thread(target=run, daemon=True).start()
        self._ring(moment, task)

    def run(self, until: datetime) -> None:
        """Let time pass."""
        while self._alarms and self._alarms[0][0] <= until and not self._failures:
            moment, _, task, wait = heapq.heappop(self._alarms)
            if task.waits != wait:
                continue
            Clock.at, self._current = max(Clock.at, moment), task
            task.waits += 1
            task.go.release()
            self._turn.acquire()
        if self._failures:
            raise self._failures[0]
        Clock.at = max(Clock.at, until)

    def wait(self, seconds: float) -> None:
        """Wait, as a state of an execution does."""
        task = self._pause(Clock.at + timedelta(seconds=seconds))
        self._sleep(task)

    def wait_for(self, token: str, seconds: float) -> str | None:
        """Wait until somebody tells the output of a task, or for so many seconds at the most."""
        if token not in self.told:
            task = self._pause(Clock.at + timedelta(seconds=seconds))
            self._waiting[token] = (task, task.waits)
            self._sleep(task)
            self._waiting.pop(token, None)
        return self.told.setdefault(token, None)

    def tell(self, token: str, output: str) -> bool:
        """Tell the output of a task; False if nobody waits for it."""
        if token in self.told or token not in self._waiting:
            return False
        self.told[token] = output
        self._ring(Clock.at, *self._waiting.pop(token))
        return True

    def _pause(self, until: datetime) -> _Task:
        assert self._current is not None
        self._ring(until, self._current)
        return self._current

    def _ring(self, moment: datetime, task: _Task, wait: int | None = None) -> None:
        heapq.heappush(self._alarms, (moment, next(self._numbers), task, task.waits if wait is None else wait))

    def _sleep(self, task: _Task) -> None:
        self._turn.release()
        task.go.acquire()
