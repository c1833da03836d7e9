"""The history of a function at each memory size it ran at, from REPORT lines. It grows from run to run. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from optimizer.core import canonical_json
from optimizer.function_logs.coverage import WEEK_HOURS, hour_of, start_of
from optimizer.function_logs.keep_alive import IdleTrials, idle_trials
from optimizer.function_logs.parse import LoggedReport
from optimizer.function_logs.sketch import Sketch

_TIMEOUT = "timeout"
_HOUR_S = 3600
# Cold starts by the hour are kept for as long.
_MOST_HOURS = 15 * 24
# Of so many versions the history is kept apart; teams that deploy every hour have a new one every hour.
_MOST_VERSIONS = 12
_KEPT_HOURS = 2 * WEEK_HOURS


@dataclass(frozen=True, slots=True)
class SizeHistory:
    """The calls of a function at one memory size."""

    memory_mb: int
    first_at: datetime
    last_at: datetime
    # Durations of calls that succeeded.
    durations: Sketch = field(default_factory=Sketch)
    # INIT or restore durations of cold calls.
    inits: Sketch = field(default_factory=Sketch)
    calls: int = 0
    timeouts: int = 0
    errors: int = 0
    # Those of the errors that had used all their memory.
    out_of_memory: int = 0
    max_memory_used_mb: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def cold_share(self) -> float:
        """Cold starts per call."""
        return self.inits.count / self.calls if self.calls else 0.0

    def __add__(self, other: "SizeHistory") -> "SizeHistory":
        """Return the calls of both, which ran at the same size."""
        return SizeHistory(
            self.memory_mb,
            min(self.first_at, other.first_at),
            max(self.last_at, other.last_at),
            self.durations + other.durations,
            self.inits + other.inits,
            self.calls + other.calls,
            self.timeouts + other.timeouts,
            self.errors + other.errors,
            self.out_of_memory + other.out_of_memory,
            max(self.max_memory_used_mb, other.max_memory_used_mb),
            {
                name: self.versions.get(name, 0) + other.versions.get(name, 0)
                for name in (*self.versions, *other.versions)
            },
        )


@dataclass(frozen=True, slots=True)
class LoggedHour:
    """The calls of one hour of one version at one memory size."""

    at: datetime
    version: str
    size: SizeHistory


@dataclass(frozen=True, slots=True)
class FunctionHistory:
    """The history of a function at all its memory sizes."""

    # By memory size, in the order in which the sizes first ran.
    sizes: Mapping[int, SizeHistory] = field(default_factory=dict)
    # The history holds all lines up to this time.
    read_until: datetime | None = None
    idle: IdleTrials = field(default_factory=IdleTrials)
    # The same calls by version, of the versions that were called last.
    by_version: Mapping[str, Mapping[int, SizeHistory]] = field(default_factory=dict)
    # Hash of code and configuration without the memory size, of versions that a run met behind the alias.
    contents: Mapping[str, str] = field(default_factory=dict)
    # Calls with INIT by the hour since 1970, and the first hour from which on all lines were read.
    cold_hours: Mapping[int, int] = field(default_factory=dict)
    cold_since: int | None = None
    # Numbers of the hours whose lines were read, of the last two weeks (coverage.py).
    hours_read: tuple[int, ...] = ()
    # What a query scanned for an hour, None if none has told.
    bytes_hour: float | None = None

    def add(
        self, lines: Iterable[LoggedReport], read_until: datetime, read_from: datetime | None = None
    ) -> "FunctionHistory":
        """Return a history that also holds the lines after `self.read_until`, up to `read_until`.

        read_from: from then on all lines were read; None where that is not known.
        """
        new = [
            line for line in lines if (self.read_until is None or line.at > self.read_until) and line.at <= read_until
        ]
        cold_since = self.cold_since
        if read_from is None or cold_since is None or self.read_until is None or read_from > self.read_until:
            # Lines are missing before, so the hours begin anew.
            cold_since = None if read_from is None else -int(-read_from.timestamp() // _HOUR_S)
        oldest = max(cold_since or 0, int(read_until.timestamp() // _HOUR_S) - _MOST_HOURS)
        cold_since = None if cold_since is None else max(cold_since, oldest)
        cold_hours = Counter({hour: number for hour, number in self.cold_hours.items() if hour >= oldest})
        # A line is written at the end of its call.
        begun = [
            int((line.at.timestamp() - line.report.duration_ms / 1000) // _HOUR_S)
            for line in new
            if line.report.is_cold
        ]
        cold_hours.update(hour for hour in begun if hour >= oldest)
        by_version = dict(self.by_version)
        for version in sorted({line.version for line in new}):
            by_version[version] = _with(by_version.get(version, {}), [line for line in new if line.version == version])
        hours = range(_first_hour(self.read_until, read_from, read_until), hour_of(read_until))
        return replace(
            self,
            sizes=_with(self.sizes, new),
            read_until=read_until if self.read_until is None else max(read_until, self.read_until),
            idle=self.idle + idle_trials(new),
            by_version=_latest(by_version),
            cold_hours=dict(cold_hours) if cold_since is not None else {},
            cold_since=cold_since,
            hours_read=_recent(self.hours_read, hours),
        )

    def add_hours(self, hours: Iterable[LoggedHour], window: tuple[int, int], bytes_hour: float) -> "FunctionHistory":
        """Return a history that also holds the hours of a window [first, end) that it does not hold yet."""
        known = set(self.hours_read)
        sizes, by_version = dict(self.sizes), {name: dict(each) for name, each in self.by_version.items()}
        cold_hours = Counter(self.cold_hours)
        for hour in hours:
            number = hour_of(hour.at)
            if number in known or number not in range(*window):
                continue
            cold_hours[number] += hour.size.inits.count
            for there in (sizes, by_version.setdefault(hour.version, {})):
                there[hour.size.memory_mb] = _plus(there.get(hour.size.memory_mb), hour.size)
        until = max(start_of(window[1]), self.read_until or start_of(window[1]))
        hours_read = _recent(self.hours_read, range(*window))
        cold_since = _unbroken_since(hours_read, hour_of(until))
        return replace(
            self,
            sizes=_in_order(sizes),
            read_until=until,
            by_version=_latest({name: _in_order(each) for name, each in by_version.items()}),
            cold_hours={} if cold_since is None else {at: n for at, n in cold_hours.items() if n and at >= cold_since},
            cold_since=cold_since,
            hours_read=hours_read,
            bytes_hour=bytes_hour,
        )

    def meet(self, version: str, content: str) -> "FunctionHistory":
        """Return the history after a run met this version with this content behind the alias."""
        before = self.contents.get(version)
        if before == content:
            return self
        by_version = dict(self.by_version)
        if before is not None and version in by_version:
            # $LATEST has a new content: what it did before is that of other code.
            by_version[f"{version} before"] = by_version.pop(version)
        contents = {name: known for name, known in self.contents.items() if name in by_version} | {version: content}
        return replace(self, by_version=by_version, contents=contents)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "FunctionHistory":
        """Read the stored form, whose sizes are in any order."""
        found = cast("FunctionHistory", canonical_json.read(cls, document))
        by_version = {version: _in_order(sizes) for version, sizes in found.by_version.items()}
        return replace(found, sizes=_in_order(found.sizes), by_version=by_version or _split(found.sizes))


def _with(sizes: Mapping[int, SizeHistory], lines: list[LoggedReport]) -> dict[int, SizeHistory]:
    new: dict[int, list[LoggedReport]] = {}
    for line in lines:
        new.setdefault(line.report.memory_mb, []).append(line)
    return _in_order(dict(sizes) | {mb: _plus(sizes.get(mb), size_of(mb, found)) for mb, found in new.items()})


def _plus(before: SizeHistory | None, more: SizeHistory) -> SizeHistory:
    return more if before is None else before + more


def _first_hour(known_until: datetime | None, read_from: datetime | None, read_until: datetime) -> int:
    """Return the first hour that is read as a whole, also where an earlier run read its beginning."""
    if read_from is None:
        return hour_of(read_until)
    if known_until is not None and read_from <= known_until:
        return hour_of(known_until)
    return hour_of(read_from - timedelta(seconds=1)) + 1


def _unbroken_since(hours: Collection[int], end: int) -> int | None:
    """Return the first of the hours that were all read up to `end`, None where the last one was not."""
    first = end
    while first - 1 in hours:
        first -= 1
    return first if first < end else None


def _recent(before: Iterable[int], new: Iterable[int]) -> tuple[int, ...]:
    hours = {*before, *new}
    return tuple(sorted(hour for hour in hours if hour > max(hours) - _KEPT_HOURS))


def _in_order(sizes: Mapping[int, SizeHistory]) -> dict[int, SizeHistory]:
    return dict(sorted(sizes.items(), key=lambda item: item[1].first_at))


def _latest(by_version: Mapping[str, Mapping[int, SizeHistory]]) -> dict[str, Mapping[int, SizeHistory]]:
    def last_at(version: str) -> datetime:
        return max(size.last_at for size in by_version[version].values())

    return {version: by_version[version] for version in sorted(by_version, key=last_at)[-_MOST_VERSIONS:]}


def _split(sizes: Mapping[int, SizeHistory]) -> dict[str, dict[int, SizeHistory]]:
    """Return the sizes by version, from a document of a release that counted the versions of a size only.

    A size that several versions ran at is that of none: whose calls used how much is not known.
    """
    found: dict[str, dict[int, SizeHistory]] = {}
    for mb, size in sizes.items():
        version = next(iter(size.versions)) if len(size.versions) == 1 else ""
        found.setdefault(version, {})[mb] = size
    return found


def size_of(memory_mb: int, lines: list[LoggedReport]) -> SizeHistory:
    """Return the history of calls at one size; there is at least one."""
    times = [line.at for line in lines]
    versions: dict[str, int] = {}
    for line in lines:
        versions[line.version] = versions.get(line.version, 0) + 1
    reports = [line.report for line in lines]
    return SizeHistory(
        memory_mb=memory_mb,
        first_at=min(times),
        last_at=max(times),
        durations=Sketch().add(r.duration_ms for r in reports if r.status == "success"),
        inits=Sketch().add(r.init_ms if r.init_ms is not None else r.restore_ms or 0.0 for r in reports if r.is_cold),
        calls=len(reports),
        timeouts=sum(r.status == _TIMEOUT for r in reports),
        errors=sum(r.status not in ("success", _TIMEOUT) for r in reports),
        out_of_memory=sum(r.status not in ("success", _TIMEOUT) and r.max_memory_used_mb >= memory_mb for r in reports),
        max_memory_used_mb=max(r.max_memory_used_mb for r in reports),
        versions=versions,
    )
