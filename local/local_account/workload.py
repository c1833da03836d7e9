"""Compute calls, durations, errors and concurrency, by the minute, of each version that serves a target's traffic."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from local_account.fleet import TargetFunction
from local_account.seeds import generator
from local_account.traces import DAY_MINUTES, Counts, Numbers

# The most environments busy at once within a minute: the largest of this many samples of a Poisson process.
_LOOKS_A_MINUTE = 8
# Standard deviation of the logarithm of a day's mean duration.
_DRIFT = 0.015
LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class Share:
    """A version, the share of the calls it gets (0..1) and its memory size."""

    version: str
    share: float
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Routing:
    """The versions that serve the calls from a minute on: at most two, the alias' own first.

    `provisioned` environments are kept ready.
    """

    since: datetime
    shares: tuple[Share, ...]
    provisioned: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Minutes `first`, `first + 1`, ... of one version; all arrays have the same length."""

    first: int
    share: Share
    provisioned: int
    invocations: Counts
    duration_ms: Numbers
    errors: Counts
    concurrency: Counts


@dataclass(slots=True)
class Workload:
    """A target's traffic, made once for each way of routing it, the same in every process."""

    target: TargetFunction
    _made: dict[tuple[str, float, int], Part] = field(default_factory=dict)

    def parts(self, routings: Sequence[Routing], start: datetime, end: datetime) -> Iterator[Part]:
        """Return the minutes of [start, end) that the traffic covers, one part for each routing and version.

        `routings` are in order of time; the first also holds for the time before it.
        """
        traffic = self.target.traffic
        length = len(traffic.invocations)
        first, last = (min(max(traffic.index(time), 0), length) for time in (start, end))
        edges = [0, *(traffic.index(routing.since) for routing in routings[1:]), length]
        for routing, begins, ends in zip(routings, edges[:-1], edges[1:], strict=True):
            low, high = max(first, begins), min(last, ends)
            if low < high:
                for share in routing.shares:
                    yield _cut(self._whole(share, len(routing.shares) > 1), low, high, routing.provisioned)

    def total_concurrency(self, routings: Sequence[Routing], start: datetime, end: datetime) -> tuple[int, Counts]:
        """Return the first minute and the most environments busy at once, over all versions."""
        parts = list(self.parts(routings, start, end))
        if not parts:
            return 0, np.zeros(0, np.int64)
        first = min(part.first for part in parts)
        total = np.zeros(max(part.first + len(part.invocations) for part in parts) - first, np.int64)
        for part in parts:
            total[part.first - first : part.first - first + len(part.invocations)] += part.concurrency
        return first, total

    def _whole(self, share: Share, split: bool) -> Part:
        key = (share.version, share.share, share.memory_mb)
        if key not in self._made:
            self._made[key] = self._make(share, split)
        return self._made[key]

    def _make(self, share: Share, split: bool) -> Part:
        target, traffic = self.target, self.target.traffic
        random = generator(target.name, share.version, share.memory_mb)
        calls = self._calls(share) if split else traffic.invocations
        mean_ms = traffic.duration_ms * target.behaviour.slowdown(share.memory_mb, target.memory_mb)
        if not traffic.measured_durations:
            mean_ms = mean_ms * self._drift()
        if split or not traffic.measured_durations:
            # The mean of n calls of a log-logistic distribution of shape b spreads by about pi / (b sqrt(3 n)).
            spread = np.pi / (target.behaviour.shape * np.sqrt(3.0 * np.maximum(calls, 1)))
            mean_ms = mean_ms * np.exp(random.normal(0.0, 1.0, len(calls)) * spread - 0.5 * spread**2)
        mean_ms = np.minimum(mean_ms, target.timeout_s * 1000.0)
        error_rate = target.behaviour.errors(share.memory_mb, target.memory_mb)
        busy = random.poisson((calls * mean_ms / 60_000.0)[:, None], (len(calls), _LOOKS_A_MINUTE)).max(axis=1)
        concurrency = np.clip(busy, np.minimum(calls, 1), np.maximum(calls, 0))
        return Part(0, share, 0, calls, mean_ms, random.binomial(calls, error_rate), concurrency)

    def _drift(self) -> Numbers:
        """Return a factor around 1 that moves from day to day, the same for every version."""
        length = len(self.target.traffic.invocations)
        days = np.arange(length // DAY_MINUTES + 2)
        steps = generator(self.target.name, "drift").normal(0.0, _DRIFT, len(days))
        factor: Numbers = np.exp(np.interp(np.arange(length) / DAY_MINUTES, days, steps))
        return factor

    def _calls(self, share: Share) -> Counts:
        """Return the calls of each version; both draw from the same chances, so that together they serve every call."""
        total = self.target.traffic.invocations
        small = round(min(share.share, 1.0 - share.share), 6)
        drawn = generator(self.target.name, "split", small).binomial(total, small)
        return drawn if share.share < 0.5 else total - drawn


def _cut(part: Part, low: int, high: int, provisioned: int) -> Part:
    return Part(
        low,
        part.share,
        provisioned,
        part.invocations[low:high],
        part.duration_ms[low:high],
        part.errors[low:high],
        part.concurrency[low:high],
    )
