"""Run podman, which speaks Docker's protocol on its own socket and keeps images and containers below one folder."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_account.processes import start, stop

PROGRAMS = ("podman", "runc", "debootstrap", "iptables")
# podman's own defaults fail where limits cannot be raised and control groups of both versions are in use.
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_READY_WITHIN_S = 30.0


class CannotRun(RuntimeError):
    """Containers cannot run here; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine; `gateway` is this machine's address as containers see it."""

    folder: Path
    socket: Path
    environment: dict[str, str]

    def podman(self, *arguments: str, within_s: float = 300) -> str:
        """Return the output of a podman command; raise CannotRun with its last line if it fails."""
        command = [*_podman(self.folder), *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=within_s
        )
        if done.returncode:
            raise CannotRun(f"podman {arguments[0]} failed: {_last_line(done.stderr)}")
        return done.stdout.strip()

    @property
    def gateway(self) -> str:
        """Return this machine's address on the network of the containers; no other machine can reach it."""
        return self.podman("network", "inspect", "podman", "--format", "{{(index .Subnets 0).Gateway}}")


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Yield an engine that keeps its images in `folder` and ends its containers with it; raise CannotRun."""
    if os.geteuid() != 0:
        raise CannotRun("containers are run as root; start this as root")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise CannotRun(f"not installed: {', '.join(missing)}; docs/development.md names the packages")
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "containers.conf"
    configuration.write_text(_CONFIGURATION)
    with tempfile.TemporaryDirectory(prefix="sam-local-") as run:
        # The path of a socket may have at most a hundred characters.
        socket = Path(run) / "podman.sock"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {**inherited, "CONTAINERS_CONF": str(configuration), "DOCKER_HOST": f"unix://{socket}"}
        running = Engine(folder, socket, environment)
        log = folder / "podman.log"
        command = [*_podman(folder), "system", "service", "--time=0", f"unix://{socket}"]
        process = start(command, environment, log, end_with_parent=True)
        try:
            deadline = time.monotonic() + _READY_WITHIN_S
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise CannotRun(f"podman does not serve: {_last_line(log.read_text())}")
                time.sleep(0.1)
            yield running
        finally:
            stop(process)
            _unmount(folder / "storage" / "overlay")


def _unmount(place: Path) -> None:
    """Unmount the storage that podman mounts onto itself and leaves so, because the folder could not be removed.

    A folder that is mounted onto itself is on the same device, so only the kernel's list shows it.
    """
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    if str(place.resolve()).replace(" ", r"\040") in mounts:
        subprocess.run(["umount", str(place)], check=True, timeout=30)


def _podman(folder: Path) -> list[str]:
    return ["podman", "--root", str(folder / "storage"), "--runroot", str(folder / "run")]


def _last_line(text: str) -> str:
    return next(iter(text.strip().splitlines()[-1:]), "it said nothing")
