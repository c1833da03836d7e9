"""Reads what the REPORT lines of a function tell, hour by hour where there are many, and keeps it between runs."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from optimizer.capacity.known_lines import calls_since, is_known_enough
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.live_function import LiveFunction, NoSuchFunction
from optimizer.capacity.log_budget import hours_with_calls, scan_budget_mb
from optimizer.capacity.provisioned import DAYS_A_MONTH, Demand, usd_month
from optimizer.function_logs import (
    LATE_LINES,
    CodeHistory,
    FunctionHistory,
    HourlyScan,
    LogsUnreadable,
    ReportLog,
    Scan,
    history_of_code,
    hour_of,
    start_of,
    unread_hours,
)
from optimizer.policy import Memory
from optimizer.prices import Rates
from optimizer.store import Documents, NoSuchDocument
from optimizer.traffic import History

# A query answers no more rows; where a function wrote more lines, they are added up by the hour.
_MOST_LINES = 10_000
_LONGEST = timedelta(days=14)
# Each is a call of the control plane that other callers share.
_MOST_VERSIONS_ASKED = 2


@dataclass(frozen=True, slots=True)
class FunctionLines:
    """The lines of a function, as far as they tell of its present code.

    whole: those of all its codes. scan: what was read, for the evidence. unread_hours: number of hours of the week with
    calls of which no line was read yet. log_scan_mb: what one reading may scan.
    """

    history: CodeHistory
    scan: Mapping[str, Any]
    unread_hours: int
    log_scan_mb: int
    whole: FunctionHistory


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads the lines of functions. turn: is held during a query; an account runs few at once."""

    documents: Documents
    logs: ReportLog
    account: LambdaAccount
    limits: Memory
    now: datetime
    turn: AbstractContextManager[Any]

    def read(
        self, live: LiveFunction, traffic: History, lines_day: float | None, rates: Rates | None, *, is_sizing: bool
    ) -> FunctionLines:
        """Return what is known of the function's lines, after those that are worth it were read.

        lines_day: expected lines a day, None where not known. rates: what its account pays, None where not known.
        is_sizing: the run decides the memory size.
        """
        key, version = f"history/capacity/{live.function_name}.json", live.version
        try:
            history = FunctionHistory.from_document(self.documents.read(key))
        except NoSuchDocument:
            history = FunctionHistory()
        history = history.meet(version.name, version.content)
        called = hours_with_calls(traffic.hours)
        unread = unread_hours(called, history.hours_read)
        bill = _bill_usd_month(live, Demand.of(traffic.minutes), lines_day, rates)
        budget_mb = scan_budget_mb(self.limits, bill, is_week_known=not unread)

        def known(grown: FunctionHistory, scan: Mapping[str, Any]) -> FunctionLines:
            left = len(unread_hours(called, grown.hours_read))
            return FunctionLines(history_of_code(grown, version.name), scan, left, budget_mb, grown)

        new_calls = calls_since(traffic.minutes, history.read_until)
        if not (is_sizing and unread) and is_known_enough(history, live, self.now, new_calls, is_sizing=is_sizing):
            return known(history, {"lines": 0, "known_until": str(history.read_until)})
        try:
            with self.turn:
                scan = self._scan(live, history, lines_day, budget_mb, is_covering=is_sizing and bool(unread))
        except LogsUnreadable as unreadable:
            return known(history, {"unreadable": str(unreadable)})
        if scan is None:
            return known(history, {"lines": 0, "known_until": str(history.read_until)})
        grown = self._with_tried_sizes(scan.added_to(history), live)
        self.documents.write(key, grown)
        return known(grown, _scan_facts(scan))

    def _scan(
        self,
        live: LiveFunction,
        history: FunctionHistory,
        lines_day: float | None,
        budget_mb: int,
        *,
        is_covering: bool,
    ) -> Scan | HourlyScan | None:
        since = history.read_until or self.now - _LONGEST
        if since == start_of(hour_of(since)) and hour_of(since) == hour_of(self.now - LATE_LINES) and not is_covering:
            # It was read by whole hours, and none has ended since.
            return None
        expected = lines_day * ((self.now - since) / timedelta(days=1)) if lines_day else None
        is_first = history.read_until is None
        if expected is not None and (expected > _MOST_LINES or (is_covering and not is_first)):
            return self.logs.scan_hours(live.log_source, self.now, history, max_scan_mb=budget_mb)
        return self.logs.scan(
            live.log_source,
            self.now,
            max_scan_mb=budget_mb,
            lines_day=lines_day,
            read_until=history.read_until,
        )

    def _with_tried_sizes(self, history: FunctionHistory, live: LiveFunction) -> FunctionHistory:
        """Ask what versions hold that ran at other sizes and were behind the alias in no run: canaries rolled back."""
        known = history_of_code(history, live.version.name).sizes
        unmet = [
            name
            for name, sizes in history.by_version.items()
            if name.isdigit() and name not in history.contents and set(sizes) - set(known)
        ]
        for name in unmet[-_MOST_VERSIONS_ASKED:]:
            try:
                history = history.meet(name, self.account.version(live.function_name, name).content)
            except NoSuchFunction:
                history = history.meet(name, f"version {name} is gone")
        return history


def _bill_usd_month(live: LiveFunction, demand: Demand, calls_day: float | None, rates: Rates | None) -> float | None:
    """Return about what the function costs a month on demand, None where its calls or its price are not known."""
    if not calls_day or rates is None:
        return None
    mean_ms = demand.mean * 86_400_000 / calls_day
    return usd_month(demand, rates, live.version.memory_mb, mean_ms, calls_day * DAYS_A_MONTH, 0)


def _scan_facts(scan: Scan | HourlyScan) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "from": scan.start.isoformat(),
        "until": scan.end.isoformat(),
        "lines": scan.lines,
        "malformed": scan.left_out.malformed,
        "of_other_functions": scan.left_out.foreign,
        "impossible": scan.left_out.impossible,
        "bytes": scan.scanned_bytes,
        "usd": round(scan.usd, 6),
    }
    return {**facts, "hours": scan.hours} if isinstance(scan, HourlyScan) else facts
