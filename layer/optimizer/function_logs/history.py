"""The history of a function at each memory size it ran at, from REPORT lines. It grows from run to run. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from optimizer.core import Interval, canonical_json
from optimizer.function_logs.keep_alive import IdleTrials, idle_trials
from optimizer.function_logs.parse import LoggedReport

# Bins of 2 % give a percentile to within 1 %, and sketches of several runs can be added.
_BIN = math.log(1.02)
_SURE = 1.96
_TIMEOUT = "timeout"
_HOUR_S = 3600
# Cold starts by the hour are kept for as long.
_MOST_HOURS = 15 * 24
# Of so many versions the history is kept apart; teams that deploy every hour have a new one every hour.
_MOST_VERSIONS = 12


@dataclass(frozen=True, slots=True)
class Sketch:
    """Durations in ms: their number, sum, sum of squares, and the number in each logarithmic bin."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    bins: Mapping[int, int] = field(default_factory=dict)

    def add(self, values: Iterable[float]) -> "Sketch":
        """Return a sketch that also holds these durations."""
        count, total, squares, bins = self.count, self.total, self.squares, dict(self.bins)
        for value in values:
            bin_number = math.ceil(math.log(max(value, 0.01)) / _BIN)
            bins[bin_number] = bins.get(bin_number, 0) + 1
            count, total, squares = count + 1, total + value, squares + value * value
        return Sketch(count, total, squares, bins)

    def __add__(self, other: "Sketch") -> "Sketch":
        bins = {bin_number: self.bins.get(bin_number, 0) for bin_number in (*self.bins, *other.bins)}
        for bin_number, count in other.bins.items():
            bins[bin_number] += count
        return Sketch(self.count + other.count, self.total + other.total, self.squares + other.squares, bins)

    @property
    def mean(self) -> float:
        """The mean in ms; zero without durations."""
        return self.total / self.count if self.count else 0.0

    def mean_interval(self) -> Interval:
        """Return the mean with its 95 % confidence interval."""
        if self.count < 2:
            return Interval(self.mean, 0.0, math.inf) if self.count == 0 else Interval(self.mean, 0.0, 2 * self.mean)
        variance = max(0.0, self.squares / self.count - self.mean**2) * self.count / (self.count - 1)
        half = _SURE * math.sqrt(variance / self.count)
        return Interval(self.mean, max(0.0, self.mean - half), self.mean + half)

    @property
    def variation(self) -> float:
        """The coefficient of variation (standard deviation / mean); zero without durations."""
        if not self.count or not self.mean:
            return 0.0
        return math.sqrt(max(0.0, self.squares / self.count - self.mean**2)) / self.mean

    def quantile(self, share: float) -> float:
        """Return the smallest duration in ms that a `share` (0 to 1) of calls does not exceed, to within 1 %.

        It is zero without durations.
        """
        seen, needed = 0, share * self.count
        for bin_number in sorted(self.bins):
            seen += self.bins[bin_number]
            if seen >= needed:
                return math.exp((bin_number - 0.5) * _BIN)
        return 0.0


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
            max(self.max_memory_used_mb, other.max_memory_used_mb),
            {
                name: self.versions.get(name, 0) + other.versions.get(name, 0)
                for name in (*self.versions, *other.versions)
            },
        )


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

    def add(
        self, lines: Iterable[LoggedReport], read_until: datetime, read_from: datetime | None = None
    ) -> "FunctionHistory":
        """Return a history that also holds the lines after `self.read_until`, up to `read_until`.

        read_from: the time from which on all lines are there; None if it is unknown."""
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
        return FunctionHistory(
            _with(self.sizes, new),
            read_until if self.read_until is None else max(read_until, self.read_until),
            self.idle + idle_trials(new),
            _latest(by_version),
            self.contents,
            dict(cold_hours) if cold_since is not None else {},
            cold_since,
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
    return _in_order(dict(sizes) | {mb: _grown(sizes.get(mb), mb, found) for mb, found in new.items()})


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


def _grown(size: SizeHistory | None, memory_mb: int, lines: list[LoggedReport]) -> SizeHistory:
    times = [line.at for line in lines] + ([size.first_at, size.last_at] if size else [])
    old = size or SizeHistory(memory_mb, min(times), max(times))
    versions = dict(old.versions)
    for line in lines:
        versions[line.version] = versions.get(line.version, 0) + 1
    reports = [line.report for line in lines]
    return SizeHistory(
        memory_mb=memory_mb,
        first_at=min(times),
        last_at=max(times),
        durations=old.durations.add(r.duration_ms for r in reports if r.status == "success"),
        inits=old.inits.add(r.init_ms if r.init_ms is not None else r.restore_ms or 0.0 for r in reports if r.is_cold),
        calls=old.calls + len(reports),
        timeouts=old.timeouts + sum(r.status == _TIMEOUT for r in reports),
        errors=old.errors + sum(r.status not in ("success", _TIMEOUT) for r in reports),
        max_memory_used_mb=max(old.max_memory_used_mb, *(r.max_memory_used_mb for r in reports)),
        versions=versions,
    )
