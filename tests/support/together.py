"""Which tests run in the same process: those that share what takes long to start."""

import os
import re
from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

# The first that matches the path of a test's file names its group; any other file is a group of its own. A file in the
# wrong group costs the start of a server more, and nothing else.
_LONGEST = "the deployed application"
_SHARED = (
    (re.compile(r"tests/(browser|e2e)/|/test_local_account\.py"), _LONGEST),
    (re.compile(r"/test_(change_)?(cache|documented|index|inspect|mysql|plan_index|postgresql|servers)_"), "servers"),
)
# How much less of the processor the others get while the longest group wants it: all wait for that one in the end.
_NICE = 5


def group_of(nodeid: str) -> str:
    """The name of the group of a test."""
    path = str(PurePosixPath(nodeid.split("::")[0]))
    return next((group for pattern, group in _SHARED if pattern.search(path)), path)


def give_way(nodeid: str) -> None:
    """For a process of several, before its first test."""
    if "PYTEST_XDIST_WORKER" in os.environ and group_of(nodeid) != _LONGEST:
        os.nice(_NICE)


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process whole groups, in the order in which the tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
