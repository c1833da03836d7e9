"""Learn from REPORT lines how long an idle environment lives. Pure.

Each idle time of an environment is one trial. An environment that is called again after a gap, without INIT, survived
the gap. Lambda makes a cold start only if no environment of the same version and size is idle, so environments that
were idle before a cold start and never ran again had died by then.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from optimizer.function_logs.parse import LoggedReport

# Longer gaps are not needed, because no plan counts on an environment for longer.
LONGEST_MINUTES = 60


@dataclass(frozen=True, slots=True)
class IdleTrials:
    """The number of trials by whole minutes."""

    # Gaps of at least so many minutes that an environment survived.
    survived: Mapping[int, int] = field(default_factory=dict)
    # Environments that died within so many minutes.
    died: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: "IdleTrials") -> "IdleTrials":
        return IdleTrials(
            dict(Counter(self.survived) + Counter(other.survived)), dict(Counter(self.died) + Counter(other.died))
        )


def idle_trials(lines: Iterable[LoggedReport]) -> IdleTrials:
    """Return the trials of environments whose first call is among the lines and was cold.

    Other environments, such as those of provisioned concurrency, may be kept alive by something else. Lines without an
    environment are left out.
    """
    by_kind: dict[tuple[str, int], dict[str, list[LoggedReport]]] = {}
    for line in sorted(lines, key=lambda line: line.at):
        if line.environment:
            by_kind.setdefault((line.version, line.report.memory_mb), {}).setdefault(line.environment, []).append(line)
    trials = IdleTrials()
    for environments in by_kind.values():
        cold_starts = sorted(_started(line) for calls in environments.values() for line in calls if line.report.is_cold)
        known = [calls for calls in environments.values() if calls[0].report.is_cold]
        survived = Counter(gap for calls in known for gap in _survived_gaps(calls))
        died = Counter(gap for calls in known for gap in _fatal_gaps(calls, cold_starts))
        trials += IdleTrials(dict(survived), dict(died))
    return trials


def _survived_gaps(calls: Sequence[LoggedReport]) -> Iterator[int]:
    for before, line in pairwise(calls):
        gap = int(_minutes(_started(line) - before.at))
        if gap >= 1 and not line.report.is_cold:
            yield min(gap, LONGEST_MINUTES)


def _fatal_gaps(calls: Sequence[LoggedReport], cold_starts: Sequence[datetime]) -> Iterator[int]:
    # A cold start in the same log stream means that a new environment replaced the old one.
    ends = [before.at for before, line in pairwise(calls) if line.report.is_cold]
    for end in [*ends, calls[-1].at]:
        index = bisect_left(cold_starts, end)
        if index < len(cold_starts):
            gap = max(1, math.ceil(_minutes(cold_starts[index] - end)))
            if gap <= LONGEST_MINUTES:
                yield gap


def _started(line: LoggedReport) -> datetime:
    report = line.report
    return line.at - timedelta(milliseconds=report.duration_ms + (report.init_ms or 0.0) + (report.restore_ms or 0.0))


def _minutes(gap: timedelta) -> float:
    return gap.total_seconds() / 60
