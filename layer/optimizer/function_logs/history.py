"""The history of a function at each memory size it ran at, from REPORT lines. It grows from run to run. Pure."""

import math
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


@dataclass(frozen=True, slots=True)
class FunctionHistory:
    """The history of a function at all its memory sizes."""

    # By memory size, in the order in which the sizes first ran.
    sizes: Mapping[int, SizeHistory] = field(default_factory=dict)
    # The history holds all lines up to this time.
    read_until: datetime | None = None
    idle: IdleTrials = field(default_factory=IdleTrials)

    @property
    def max_memory_used_mb(self) -> int:
        """The peak memory usage at any size."""
        return max((size.max_memory_used_mb for size in self.sizes.values()), default=0)

    def add(self, lines: Iterable[LoggedReport], read_until: datetime) -> "FunctionHistory":
        """Return a history that also holds the lines after `self.read_until`, up to `read_until`."""
        new: dict[int, list[LoggedReport]] = {}
        for line in lines:
            if (self.read_until is None or line.at > self.read_until) and line.at <= read_until:
                new.setdefault(line.report.memory_mb, []).append(line)
        sizes = dict(self.sizes) | {mb: _grown(self.sizes.get(mb), mb, found) for mb, found in new.items()}
        ordered = dict(sorted(sizes.items(), key=lambda item: item[1].first_at))
        until = read_until if self.read_until is None else max(read_until, self.read_until)
        trials = idle_trials(line for found in new.values() for line in found)
        return FunctionHistory(ordered, until, self.idle + trials)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "FunctionHistory":
        """Read the stored form, whose sizes are in any order."""
        found = cast("FunctionHistory", canonical_json.read(cls, document))
        return replace(found, sizes=dict(sorted(found.sizes.items(), key=lambda item: item[1].first_at)))


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
