"""Run tests that share slow starts in the same process."""

import re
from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

# The first match with the path of a test's file names its group; any other file is a group of its own. A file in the
# wrong group costs one more start of a server, and nothing else.
_SHARED = (
    # The demo starts an account of its own.
    (re.compile(r"tests/e2e/(?!test_demo\.py)|/test_deployed_approval\.py"), "the deployed application"),
    (re.compile(r"tests/browser/"), "a browser"),
    (re.compile(r"/test_(change_)?(cache|documented|index|inspect|mysql|plan_index|postgresql|servers)_"), "servers"),
)


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """A scheduler that gives each process whole groups, in the order in which the tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        path = str(PurePosixPath(nodeid.split("::")[0]))
        return next((group for pattern, group in _SHARED if pattern.search(path)), path)
