"""Run tests that share slow starts in the same process."""

import re

from xdist.scheduler import LoadScopeScheduling

# The end-to-end tests need about as long as all others: two processes share them, each with an application of its own
# that is deployed into an account of its own.
DEPLOYED, DEPLOYED_TOO = LONGEST = "the deployed application", "the other deployed application"
# The second half deletes its application at its end.
_FIRST_HALF = "bad_input|rights|schedules_fire|states|traffic_by_alias|warm_function_fires"
# The first match with a test's id names its group; any other file is a group of its own. A file in the wrong group
# costs one more start of a server, and nothing else.
_SHARED = (
    # The demo starts an account of its own; the rights are judged by what both halves recorded.
    (re.compile(r"tests/e2e/test_demo\.py"), "the demo"),
    (re.compile(rf"tests/e2e/.*\[{DEPLOYED_TOO}\]"), DEPLOYED_TOO),
    (re.compile(rf"tests/e2e/.*\[{DEPLOYED}\]"), DEPLOYED),
    (re.compile(r"tests/e2e/test_rights_both_ways\.py"), "what all end-to-end tests did"),
    (re.compile(rf"tests/e2e/test_({_FIRST_HALF})\.py|/test_deployed_approval\.py"), DEPLOYED),
    (re.compile(r"tests/e2e/"), DEPLOYED_TOO),
    (re.compile(r"tests/browser/"), "a browser"),
    (re.compile(r"/test_(change_)?(cache|documented|index|inspect|mysql|plan_index|postgresql|servers)_"), "servers"),
)


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """A scheduler that gives each process whole groups, in the order in which the tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the group of a test."""
    path = nodeid.partition("::")[0]
    return next((group for pattern, group in _SHARED if pattern.search(nodeid)), path)
