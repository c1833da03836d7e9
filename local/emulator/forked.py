"""Fork the environments of Python functions from a process that has imported the AWS SDK.

MiniStack 1.5.33 starts an interpreter for each environment, and most of the processor time of a cold start is the
import of the SDK. An environment that is forked has its own memory, variables, folder and search path of modules, as a
started one has. Each set of layers has a process to fork from, which imported from the same files as its environments
would; functions whose package has a module of the same name as an imported one get an interpreter of their own.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_PRELOADED = Path(__file__).parent / "preloaded.py"
_LONGEST_ANSWER = 1 << 17
_LAYERS = "_LAMBDA_LAYERS_DIRS"
_parents: dict[tuple[str, ...], "_Parent"] = {}
_one_parent = threading.Lock()


class Forked:
    """A forked process, with what the emulator uses of `subprocess.Popen`."""

    def __init__(self, pid: int, descriptor: int, pipes: tuple[int, int, int]) -> None:
        self.pid, self._descriptor = pid, descriptor
        self.returncode: int | None = None
        self.stdin = open(pipes[0], "w", buffering=1)  # noqa: SIM115  the environment's, for as long as it lives
        self.stdout, self.stderr = open(pipes[1]), open(pipes[2])  # noqa: SIM115

    def __del__(self) -> None:
        os.close(self._descriptor)

    def poll(self) -> int | None:
        """Return None while it runs."""
        if self.returncode is None and self._ended_within(0):
            # Its status is known to its parent only, and the emulator does not look at it.
            self.returncode = 0
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return when it has ended; raise TimeoutExpired."""
        if not self._ended_within(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        self.returncode = 0
        return self.returncode

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def _ended_within(self, seconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))


class _Parent:
    """A process that has imported the SDK with these folders first on the search path."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, str(_PRELOADED), str(theirs.fileno()), *folders]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        theirs.close()
        self._lock = threading.Lock()
        said = self._requests.recv(_LONGEST_ANSWER)
        # Layers that break the imports of the SDK say so in each environment.
        self._usable = bool(said)
        self._modules = frozenset(json.loads(said or "[]"))

    def suits(self, package: str) -> bool:
        """Return whether a package brings no module that is imported already."""
        return self._usable and not self._modules.intersection(
            path.name.partition(".")[0] for path in Path(package).iterdir()
        )

    def fork(self, script: str, folder: str, variables: Mapping[str, str]) -> Forked:
        """Run a script in a process of its own."""
        request = json.dumps({"script": script, "folder": folder, "variables": dict(variables)}).encode()
        (stdin, to), (out, stdout), (err, stderr) = os.pipe(), os.pipe(), os.pipe()
        with self._lock:
            socket.send_fds(self._requests, [request], [stdin, stdout, stderr])
            said, descriptors, _, _ = socket.recv_fds(self._requests, _LONGEST_ANSWER, 1)
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
        return Forked(int(said), descriptors[0], (to, out, err))


def start(command: list[str], *, env: dict[str, str], cwd: str, **options: Any) -> Any:
    """Start an environment's command, forked where that is the same."""
    layers = [os.path.realpath(folder) for folder in env.get(_LAYERS, "").split(os.pathsep) if folder]
    # A layer's folder and its folder for Python lead those of the layers before it, as in the emulator's runtime.
    folders = tuple(path for layer in reversed(layers) for path in (layer, f"{layer}/python"))
    plain = command[0] == sys.executable and len(command) == 2 and not any(name.startswith("PYTHON") for name in env)
    if sys.platform != "linux" or not plain or any(Path(folder, "lib").exists() for folder in folders):
        return subprocess.Popen(command, env=env, cwd=cwd, **options)
    with _one_parent:
        if folders not in _parents:
            _parents[folders] = _Parent(folders)
    parent = _parents[folders]
    if parent.suits(cwd):
        return parent.fork(command[1], cwd, env)
    return subprocess.Popen(command, env=env, cwd=cwd, **options)
