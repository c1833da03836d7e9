"""Run the SAM CLI of this project, which has an environment of its own."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_account.account import ROOT

SAM = ROOT / ".build" / "sam" / "bin" / "sam"
# The same program with less work.
QUICK = [str(SAM.with_name("python")), str(ROOT / "local" / "quick_sam.py")]
_LAST_LINES = 6


class SamMissing(FileNotFoundError):
    """The SAM CLI's own virtual environment does not exist."""


class SamFailed(RuntimeError):
    """`sam build` or `sam deploy` ended with an error; the message holds the end of its output."""


def run_sam(variables: Mapping[str, str], folder: Path, arguments: Sequence[str], answers: str = "") -> None:
    """Run a command of the SAM CLI with these variables in a folder; raise SamFailed or SamMissing."""
    if not SAM.exists():
        raise SamMissing(f"{SAM} does not exist: run `make .build/sam/.installed` first")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # A profile configured on this machine must not lead to a real account. Stacks are made within seconds here.
    own = {
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.5",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    environment = inherited | dict(variables) | own
    done = subprocess.run(
        [*QUICK, *arguments], cwd=folder, env=environment, text=True, capture_output=True, check=False, input=answers
    )
    if done.returncode:
        output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise SamFailed(f"sam {arguments[0]} failed: {' | '.join(output[-_LAST_LINES:])}")
