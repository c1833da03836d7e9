"""Assign processors to a database server and its load: all to both, or some to each, as on a server with one to spare.

It works on Linux alone.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local_account.servers.postgresql import PostgresServer


@dataclass(frozen=True, slots=True)
class Processors:
    """The processors of the load and of the server.

    `load` is the process that makes the load, `its_backends` are those that serve it. The rest is other work of the
    server, and everybody who works on its indexes.
    """

    server: PostgresServer
    load: int
    its_backends: frozenset[int]

    @classmethod
    def of(cls, server: PostgresServer, load: int, application: str) -> "Processors":
        """Find the backends by the name that the load's sessions give; raise RuntimeError where there is none yet."""
        with server.session() as session:
            found = session.run("SELECT pid FROM pg_stat_activity WHERE application_name = :name", name=application)
        if not found:
            raise RuntimeError(f"{application} has no session")
        return cls(server, load, frozenset(row[0] for row in found))

    def share(self) -> None:
        """Let everybody use all processors."""
        everything = set(range(os.cpu_count() or 1))
        self._set(everything, everything)

    def divide(self) -> None:
        """Give the load the first processor and everybody else the others; raise RuntimeError if there is only one."""
        first, *others = range(os.cpu_count() or 1)
        if not others:
            raise RuntimeError("there is but one processor")
        self._set({first}, set(others))

    def _set(self, load: set[int], rest: set[int]) -> None:
        _pin(self.its_backends, load)
        _pin((int(task.name) for task in Path(f"/proc/{self.load}/task").iterdir()), load)
        master = int((self.server.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(master)], check=True, capture_output=True, text=True)
        # New sessions inherit the processors of the server's first process.
        _pin({master, *map(int, children.stdout.split())} - self.its_backends, rest)
        _pin((int(task.name) for task in Path("/proc/self/task").iterdir()), rest)


def _pin(processes: Iterable[int], processors: set[int]) -> None:
    for process in processes:
        # Some processes end meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(process, processors)
