"""When the code of a function changed, from the first and last lines of its versions. Pure.

Lines are read by the hour, and not of every hour: a deploy happened between the last line of the code before and the
first line of the new one.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from optimizer.core import minute_of, moment_of
from optimizer.function_logs import FunctionHistory

_LATEST = "$LATEST"
# The share of the best explanation that a deploy must reach to be named.
_EXPLAINS = 0.8


@dataclass(frozen=True, slots=True)
class Deploy:
    """A deploy of other code or configuration: after `after`, at the latest at `at`."""

    after: datetime
    at: datetime
    version: str

    @property
    def words(self) -> str:
        """Return `version 12 of 12 Nov 2026 14:00 UTC`."""
        return f"version {self.version} of {day_words(self.at)}"


@dataclass(frozen=True, slots=True)
class SizeChange:
    """A change of the memory size within one code."""

    at: datetime
    before_mb: int
    after_mb: int


def deploys_of(lines: FunctionHistory, version: str) -> tuple[Deploy, ...]:
    """Return the known deploys in order of time. version: behind the alias; calls of $LATEST count for $LATEST only.

    The first code that was seen is no deploy: when it came is not known. A version whose content no run has met is
    taken for other code.
    """
    seen = []
    for name, sizes in lines.by_version.items():
        if name and sizes and (version == _LATEST or _LATEST not in name):
            first = min(size.first_at for size in sizes.values())
            last = max(size.last_at for size in sizes.values())
            seen.append((first, last, name))
    seen.sort()
    found: list[Deploy] = []
    for (_, last, before), (first, _, name) in pairwise(seen):
        if lines.contents.get(before, before) != lines.contents.get(name, name):
            found.append(Deploy(min(last, first), first, name))
    return tuple(found)


def size_change_of(lines: FunctionHistory, version: str, memory_mb: int) -> SizeChange | None:
    """Return the last change of the memory size of the code behind the alias, None where it had one size only."""
    content = lines.contents.get(version, version)
    starts: dict[int, datetime] = {}
    for name, sizes in lines.by_version.items():
        if lines.contents.get(name, name) == content:
            for mb, size in sizes.items():
                starts[mb] = min(size.first_at, starts.get(mb, size.first_at))
    others = [(at, mb) for mb, at in starts.items() if mb != memory_mb and at < starts.get(memory_mb, at)]
    return SizeChange(starts[memory_mb], max(others)[1], memory_mb) if others else None


def hours_of_deploy(deploy: Deploy, start: int, end: int) -> range:
    """Return the hours in which a deploy may have happened, as places in a series of hours from `start` on."""
    first = minute_of(deploy.after) // 60 - 1 - start
    last = minute_of(deploy.at) // 60 + 1 - start
    return range(max(first, 0), min(last, end) + 1)


def explaining(deploys: tuple[Deploy, ...], gains: list[float], best: int, start: int) -> Deploy | None:
    """Return the deploy that explains a step about as well as the best hour does, None without one.

    gains: how well a step at each hour of a series explains it. best: the place of the best one.
    """
    rated = []
    for deploy in deploys:
        hours = [hour for hour in hours_of_deploy(deploy, start, len(gains) - 1) if 0 <= hour < len(gains)]
        if hours:
            gain = max(gains[hour] for hour in hours)
            rated.append((gain, -abs(best - hours[-1]), deploy))
    if not rated:
        return None
    gain, _, deploy = max(rated, key=lambda one: one[:2])
    return deploy if gain >= _EXPLAINS * gains[best] else None


def hour_time(start: int, place: int) -> datetime:
    """Return the time of the hour at a place of a series of hours."""
    return moment_of((start + place) * 60)


def day_words(at: datetime) -> str:
    """Return `12 Nov 2026 14:00 UTC`."""
    return f"{at.day} {at:%b %Y %H:%M} UTC"
