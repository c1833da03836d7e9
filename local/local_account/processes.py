"""Start helper processes on 127.0.0.1 so that they and their data end with the process that started them."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
_STOP_WITHIN_S = 5.0
_PR_SET_PDEATHSIG = 1


class PortInUse(OSError):
    """Another program listens on the requested port."""


class DidNotStart(RuntimeError):
    """A helper process ended or did not answer in time; the message holds the end of its log."""


def free_port(wanted: int = 0) -> int:
    """Return `wanted`, or any free port if it is 0; raise PortInUse if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise PortInUse(f"port {wanted} of {HOST} is taken: choose another, or none for any free one") from error
        return int(probe.getsockname()[1])


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, end_with_parent: bool
) -> subprocess.Popen[bytes]:
    """Start a program as the leader of a process group of its own, with its output in `log`.

    `end_with_parent` ends it when this process dies, however it dies; programs that watch their parent do not need it.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            start_new_session=True,
            preexec_fn=end_when_parent_dies if end_with_parent and sys.platform == "linux" else None,
        )


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path, within_s: float) -> None:
    """Return once the URL answers 200; raise DidNotStart if the process ends first or time is up."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  the URL is ours
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.05)
    tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise DidNotStart(f"{Path(log).stem} did not start within {within_s:.0f} s: {tail}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything it started."""
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_WITHIN_S)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def end_when_parent_dies() -> None:
    """Ask Linux to send SIGTERM to this process when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
