"""Start real database servers and caches on 127.0.0.1 for tests, benchmarks and the demo.

Each runs in a temporary folder, on a free port, and is stopped by its process id. There is a module for each engine;
the common code is here.
"""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from local_account.processes import HOST, DidNotStart, end_when_parent_dies, free_port

__all__ = ["HOST", "DidNotStart", "Installation", "ServerProcess", "free_port", "run", "unprivileged_user"]


@dataclass(frozen=True, slots=True)
class Installation[S]:
    """A server that may be installed: `find` returns its path or None, `start` starts a new one.

    A started server has a folder of its own and `stop()`; `install` says how to get it.
    """

    name: str
    find: Callable[[], Path | None]
    start: Callable[[], S]
    install: str


class ServerProcess:
    """The process of a server: the leader of its own group, with its output in `log`.

    It ends when this process dies.
    """

    def __init__(self, command: Sequence[str], log: Path, *, environment: Mapping[str, str], user: str | None) -> None:
        with log.open("ab") as output:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                start_new_session=True,
                preexec_fn=end_when_parent_dies if sys.platform == "linux" else None,
                **_as_user(user),
            )
        self.log = log

    @property
    def pid(self) -> int:
        """Return the id of the server's first process."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], within_s: float = 60.0) -> None:
        """Return once `ready` is true; raise DidNotStart with the end of the log if the process ends or time is up."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and self._process.poll() is None:
            if ready():
                return
            time.sleep(0.05)
        tail = " | ".join(self.log.read_text(errors="replace").splitlines()[-5:])
        self.stop(signal.SIGKILL)
        raise DidNotStart(f"the server of {self.log} did not start within {within_s:.0f} s: {tail}")

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 20.0) -> None:
        """Signal the server, then end the rest of its group."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def unprivileged_user() -> str | None:
    """Return the user for a server when this process is root, which servers refuse; None means the same user."""
    return "nobody" if os.geteuid() == 0 else None


def run(command: Sequence[str], *, environment: Mapping[str, str], user: str | None, cwd: Path) -> None:
    """Run a set-up program to its end; raise DidNotStart with its output if it fails."""
    done = subprocess.run(
        command,
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **_as_user(user),
    )
    if done.returncode:
        raise DidNotStart(f"{command[0]} failed: {done.stdout.decode(errors='replace')[-500:]}")


def hand_over(directory: Path, user: str | None) -> None:
    """Make the user the owner of the directory."""
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(directory, entry.pw_uid, entry.pw_gid)


def reachable(programs: Path, user: str | None, spare: Path) -> Path:
    """Return `programs`, or a copy below `spare` where the user cannot enter a folder above it (a home, say)."""
    if user is None or all(folder.stat().st_mode & stat.S_IXOTH for folder in [programs, *programs.resolve().parents]):
        return programs
    copy = spare / programs.name
    if not copy.exists():
        shutil.copytree(programs, copy, symlinks=True)
    return copy


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[str | int]


def _as_user(user: str | None) -> _Identity:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
