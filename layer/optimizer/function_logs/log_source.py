"""Where the lines of a function are, and how late they come."""

import re
from dataclasses import dataclass
from datetime import timedelta

# "It might take 5 to 10 minutes for logs to show up after a function invocation" (Lambda Developer Guide).
LATE_LINES = timedelta(minutes=10)
# 2026/11/21/[7]0123abcd, and in a log group of a function's own choice 2026/11/21/orders[7]0123abcd ("Configuring
# CloudWatch log groups", Lambda Developer Guide).
_STREAM = re.compile(r"(?:^|/)([\w-]*)\[(\$LATEST|\d+)\]")


@dataclass(frozen=True, slots=True)
class LogSource:
    """A function and the log group that it writes to, which may be that of other functions, too."""

    group: str
    function: str

    @property
    def is_own(self) -> bool:
        """True for the group that Lambda gives each function; in any other the names of the streams tell whose."""
        return self.group == f"/aws/lambda/{self.function}"

    @property
    def query_filter(self) -> str:
        """The command with which a query of Logs Insights leaves the streams of other functions out."""
        return "" if self.is_own else f"| filter @logStream like /\\/{self.function}\\[/ "

    def wrote(self, stream: str) -> bool:
        """Return True for a log stream of this function."""
        match = _STREAM.search(stream)
        name = match.group(1) if match else ""
        return name == self.function or (not name and self.is_own)


def version_of(stream: str) -> str:
    """Return the version in the name of a Lambda log stream such as `2026/11/21/[7]0123abcd`; empty without one."""
    match = _STREAM.search(stream)
    return match.group(2) if match else ""
