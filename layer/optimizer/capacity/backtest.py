"""Results of planning memory on past traffic: the sizes that would have been tried, and the savings. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.capacity.provisioned.load import DAYS_A_MONTH
from optimizer.core import Change, Interval, NoChange, Tuner, function_name

# Student's t, two-sided 95 %, by degrees of freedom; from 30 on the normal distribution's is close enough.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09,
      2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04)  # fmt: skip
_NORMAL = 1.96


@dataclass(frozen=True, slots=True)
class Try:
    """A size that was or would be tried, and its outcome: kept, rolled back, proposed, ..."""

    memory_mb: int
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class MemoryBacktestRow:
    """One function. saving: USD a month, None where not known. note: the reason that nothing was tried."""

    name: str
    before_mb: int | None
    after_mb: int | None
    tries: tuple[Try, ...]
    saving: Interval | None
    note: str = ""


def month_of_days(usd_days: Sequence[float]) -> Interval:
    """Return USD a month with its 95 % interval from the USD of each day (Student's t over the days)."""
    days = len(usd_days)
    mean = math.fsum(usd_days) / days if days else 0.0
    if days < 2:
        return Interval(mean * DAYS_A_MONTH, mean * DAYS_A_MONTH, mean * DAYS_A_MONTH)
    spread = math.sqrt(math.fsum((day - mean) ** 2 for day in usd_days) / (days - 1) / days)
    sure = _T[days - 2] if days - 2 < len(_T) else _NORMAL
    return Interval(*(DAYS_A_MONTH * (mean + side * sure * spread) for side in (0, -1, 1)))


def together(savings: Iterable[Interval]) -> Interval:
    """Return the sum of independent estimates: their squared distances from the estimate add up."""
    known = list(savings)
    estimate = math.fsum(saving.estimate for saving in known)
    low = math.sqrt(math.fsum((saving.estimate - saving.low) ** 2 for saving in known))
    high = math.sqrt(math.fsum((saving.high - saving.estimate) ** 2 for saving in known))
    return Interval(estimate, estimate - low, estimate + high)


def rows_of(proposals: Iterable[Change | NoChange], failed: Mapping[str, str]) -> list[MemoryBacktestRow]:
    """Return one row for each memory proposal or failure of an account, sorted by function.

    The saving is the expected one: it counts the probability that a try is rolled back.
    """
    rows = [_row(proposal) for proposal in proposals if proposal.tuner is Tuner.MEMORY]
    rows += [MemoryBacktestRow(function_name(target), None, None, (), None, note=why) for target, why in failed.items()]
    return sorted(rows, key=lambda row: row.name)


def _row(proposal: Change | NoChange) -> MemoryBacktestRow:
    name = function_name(proposal.target)
    if isinstance(proposal, NoChange):
        return MemoryBacktestRow(name, None, None, (), None, note=proposal.reason)
    usd = proposal.effect.usd_month
    after_mb = int(proposal.after["memory_mb"])
    return MemoryBacktestRow(
        name,
        int(proposal.before["memory_mb"]),
        after_mb,
        (Try(after_mb, "proposed", proposal.reason),),
        Interval(-usd.estimate, -usd.high, -usd.low) if usd else None,
    )


def document(rows: Sequence[MemoryBacktestRow], total: Interval) -> dict[str, Any]:
    """Return the JSON object that the command prints."""
    return {"functions": {row.name: row for row in rows}, "total": {"saving_usd_month": total}}
