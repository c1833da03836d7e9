"""The report of a run as one document: the source of every number in its message, its page and the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from optimizer.core import Interval, Status, StoredChange
from optimizer.report.advice_lines import AdviceLine
from optimizer.report.lines import Line, line
from optimizer.report.savings import VerifiedSavings

# The section of each status. A change under observation has been applied. When a run is reported, every change that it
# started has answered, unless it failed in a way that it could not record.
_SECTION = {
    Status.APPLYING: "unfinished",
    Status.WATCHING: "changed",
    Status.REVERTING: "taken_back",
    Status.KEPT: "changed",
    Status.REVERTED: "taken_back",
    Status.RECOMMENDED: "recommended",
    Status.PROPOSED: "waiting",
    Status.AWAITING_APPROVAL: "waiting",
    Status.APPROVED: "unfinished",
    Status.REJECTED: "rejected",
    Status.REFUSED: "refused",
    Status.STALE: "refused",
    Status.FAILED: "failed",
}
SECTIONS = (
    "changed",
    "taken_back",
    "recommended",
    "waiting",
    "scheduled",
    "rejected",
    "refused",
    "failed",
    "unfinished",
)


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a run. `expected_usd_month` is the estimated change of the bill by applied changes, negative if the
    bill falls; `possible_usd_month` the potential one of recommended changes. `proved` holds verified savings.
    `scheduled`: approved changes that wait for their window, or for an observation."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    targets: int
    changed: tuple[Line, ...]
    taken_back: tuple[Line, ...]
    recommended: tuple[Line, ...]
    waiting: tuple[Line, ...]
    rejected: tuple[Line, ...]
    refused: tuple[Line, ...]
    failed: tuple[Line, ...]
    unfinished: tuple[Line, ...]
    left_alone: tuple[Mapping[str, Any], ...]
    not_looked_at: Mapping[str, str]
    without_metrics: tuple[str, ...]
    expected_usd_month: Interval
    possible_usd_month: Interval
    expected_cold_starts_month: Interval
    notes: tuple[str, ...] = field(default_factory=tuple)
    proved: VerifiedSavings = field(default_factory=VerifiedSavings)
    scheduled: tuple[Line, ...] = ()
    # Region, date and source of the prices behind its amounts, each once.
    prices: tuple[str, ...] = ()
    advice: tuple[AdviceLine, ...] = ()

    @property
    def severity(self) -> str:
        """Return `warning` if something failed, was rolled back or could not be checked, else `info`."""
        attention = self.failed or self.unfinished or self.taken_back or self.not_looked_at or self.notes
        return "warning" if attention else "info"

    @property
    def tuners(self) -> tuple[str, ...]:
        """Return the tuners that proposed something."""
        return tuple(sorted({line.tuner for name in SECTIONS for line in getattr(self, name)}))


def summarise(
    run: Mapping[str, Any],
    changes: Iterable[StoredChange],
    no_changes: Sequence[Mapping[str, Any]],
    not_looked_at: Mapping[str, str],
    finished_at: datetime,
    without_metrics: Iterable[str] = (),
    notes: Sequence[str] = (),
    proved: VerifiedSavings | None = None,
    advice: Iterable[AdviceLine] = (),
) -> Report:
    """Return the report of a run from its record, its changes as they are now, and what was not changed or failed."""
    sections: dict[str, list[Line]] = {name: [] for name in SECTIONS}
    for stored in changes:
        sections[_section(stored)].append(line(stored))
    given = tuple(sorted(advice, key=lambda one: (one.target, one.subject)))
    shown = {found.prices for lines in sections.values() for found in lines} | {one.prices for one in given}
    return Report(
        run_id=run["run_id"],
        started_at=run["started_at"],
        finished_at=finished_at,
        targets=int(run.get("targets", 0)),
        left_alone=tuple(no_changes),
        not_looked_at=dict(not_looked_at),
        without_metrics=tuple(sorted(without_metrics)),
        expected_usd_month=_sum(found.usd_month for found in sections["changed"]),
        possible_usd_month=_sum(found.usd_month for found in sections["recommended"]),
        expected_cold_starts_month=_sum(found.cold_starts_month for found in sections["changed"]),
        notes=tuple(notes),
        proved=proved or VerifiedSavings(),
        prices=tuple(sorted(shown - {""})),
        advice=given,
        **{name: tuple(lines) for name, lines in sections.items()},
    )


def _section(stored: StoredChange) -> str:
    return "scheduled" if stored.status is Status.APPROVED and stored.waits_until else _SECTION[stored.status]


def _sum(intervals: Iterable[Interval | None]) -> Interval:
    """Return the sum of the estimates. Low and high are added, too: that is wider than needed if the errors are
    independent, which nobody has shown."""
    known = [interval for interval in intervals if interval is not None]
    return Interval(
        estimate=sum(i.estimate for i in known), low=sum(i.low for i in known), high=sum(i.high for i in known)
    )
