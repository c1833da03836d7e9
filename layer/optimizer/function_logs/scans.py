"""A reading of REPORT lines: the lines found, and the cost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from optimizer.function_logs.coverage import start_of
from optimizer.function_logs.history import FunctionHistory, LoggedHour
from optimizer.function_logs.hours import LeftOut
from optimizer.function_logs.parse import Reports
from optimizer.prices import aws_lambda

# A query answers no more rows.
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Scan:
    """The lines of the window [start, end) and the bytes that were scanned for them."""

    reports: Reports
    start: datetime
    end: datetime
    scanned_bytes: float

    @property
    def lines(self) -> int:
        """The number of calls that were read."""
        return len(self.reports.lines)

    @property
    def left_out(self) -> LeftOut:
        """The lines that are no calls of the function."""
        return LeftOut(self.reports.malformed, self.reports.foreign, self.reports.impossible)

    def added_to(self, history: FunctionHistory) -> FunctionHistory:
        """Return the history that also holds these lines."""
        # Where a query answers as many rows as it can, lines before its oldest may be missing.
        full = len(self.reports.lines) >= MOST_ROWS
        return history.add(self.reports.lines, self.end, None if full else self.start)

    @property
    def usd(self) -> float:
        """The price of the scan in US dollars."""
        return float(aws_lambda.log_scan_usd(self.scanned_bytes))


@dataclass(frozen=True, slots=True)
class HourlyScan:
    """The calls of whole hours, added up where the lines lie.

    windows: [first, end) of each query, with its rows. bytes_hour: what an hour of the last query held. left_out: the
    lines that are no calls of the function.
    """

    windows: Sequence[tuple[int, int, Sequence[LoggedHour]]]
    scanned_bytes: float
    bytes_hour: float
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def usd(self) -> float:
        """The price of the scan in US dollars."""
        return float(aws_lambda.log_scan_usd(self.scanned_bytes))

    @property
    def lines(self) -> int:
        """The number of calls that were read."""
        return sum(hour.size.calls for _, _, hours in self.windows for hour in hours)

    @property
    def start(self) -> datetime:
        """The begin of the first hour."""
        return start_of(min(first for first, _, _ in self.windows))

    @property
    def end(self) -> datetime:
        """The end of the last hour."""
        return start_of(max(end for _, end, _ in self.windows))

    @property
    def hours(self) -> int:
        """The number of hours that were read."""
        return sum(end - first for first, end, _ in self.windows)

    def added_to(self, history: FunctionHistory) -> FunctionHistory:
        """Return the history that also holds these hours."""
        for first, end, hours in self.windows:
            history = history.add_hours(hours, (first, end), self.bytes_hour)
        return history
