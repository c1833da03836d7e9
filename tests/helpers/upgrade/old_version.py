"""Version 0.1.0 from the history of this repository, deployed into a local account as its own team would."""

import fcntl
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from local_account.account import ROOT, LocalAccount

# The commit that the tag v0.1.0 names.
COMMIT = "54f5490"
_FOLDER = ROOT / ".build" / "upgrade"
_DRIVER = Path(__file__).with_name("leave_behind.py")
_MODULES = ("layer", "local", "tests/support", "tests/e2e")


class HistoryMissing(RuntimeError):
    """The history of this repository does not reach back to version 0.1.0."""


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """The things that version 0.1.0 left in the account.

    `changes` and `executions` are by tuner; `control` has the status in which the same change ended under that version.
    """

    inbox: str
    topic_arn: str
    asked: str
    link: str
    report_url: str
    changes: dict[str, str]
    executions: dict[str, str]
    control: dict[str, str]
    control_executions: dict[str, str]
    kept: str
    timetable_group: str


def checkout() -> Path:
    """Return a folder with version 0.1.0, extracted once and built there; raise HistoryMissing."""
    folder = _FOLDER / COMMIT
    _FOLDER.mkdir(exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _extract(folder)
    return folder


def leave_behind(account: LocalAccount, database: dict[str, Any], *, minutes: int, control_minutes: int) -> LeftBehind:
    """Deploy version 0.1.0 into the account with changes under observation for so many minutes of the policy."""
    folder = checkout()
    given = {
        "now": account.source.now.isoformat(),
        "port": account.port,
        "stand_in_port": account._stand_in_port,
        "secret": account._secret,
        "database": database,
        "minutes": minutes,
        "control_minutes": control_minutes,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, str(_DRIVER)],
        input=json.dumps(given),
        env=inherited | {"PYTHONPATH": os.pathsep.join(str(folder / part) for part in _MODULES)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return LeftBehind(**json.loads(done.stdout))


def _extract(folder: Path) -> None:
    told = subprocess.run(  # noqa: S603 - our own
        ["git", "-C", str(ROOT), "archive", "--format=tar", COMMIT],  # noqa: S607 - the git that made this checkout
        capture_output=True,
        check=False,
    )
    if told.returncode:
        raise HistoryMissing(
            f"this clone has no commit {COMMIT} (version 0.1.0), from which the upgrade is tested: fetch the whole "
            f"history with `git fetch --unshallow --tags`. git said: {told.stderr.decode().strip()}"
        )
    partial = folder.with_suffix(".partial")
    with tarfile.open(fileobj=BytesIO(told.stdout)) as archive:
        archive.extractall(partial, filter="data")
    # Its tools are those of this checkout.
    (partial / ".build").symlink_to(ROOT / ".build")
    partial.rename(folder)
