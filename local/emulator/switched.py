"""Read how the local account is switched; `local_account.switches` declares the switches."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from local_account.switches import Switches, SwitchFile

_file = SwitchFile.of_environment()


def switches() -> Switches:
    """Return the switches as they are set now."""
    return _file.read()
