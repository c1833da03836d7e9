"""Durations as counts in logarithmic bins, which can be added up. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from optimizer.core import Interval

# Bins of 2 % give a percentile to within 1 %, and sketches of several runs can be added.
_BIN = math.log(1.02)
_SURE = 1.96
# Places at which the durations between known quantiles are put.
_STEPS = 400


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

    @classmethod
    def of_quantiles(cls, count: int, total: float, squares: float, points: Sequence[tuple[float, float]]) -> "Sketch":
        """Return the sketch of durations whose quantiles are known at some shares, and lie evenly between in log ms.

        points: (share of the calls, ms), in order of the shares, from 0 to 1.
        """
        bins: dict[int, int] = {}
        shares, logs = zip(*((share, math.log(max(value, 0.01))) for share, value in points), strict=True)
        at = 0
        steps = min(count, _STEPS)
        for step in range(steps):
            share = (step + 0.5) / steps
            while shares[at + 1] < share:
                at += 1
            part = (share - shares[at]) / (shares[at + 1] - shares[at])
            bin_number = math.ceil((logs[at] + part * (logs[at + 1] - logs[at])) / _BIN)
            here = count * (step + 1) // steps - count * step // steps
            bins[bin_number] = bins.get(bin_number, 0) + here
        return cls(count, total, squares, bins)

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

    def share_above(self, limit_ms: float) -> float:
        """Return the share (0 to 1) of the durations that exceed a limit, to within 1 % of it; 0 without any."""
        above = sum(number for place, number in self.bins.items() if math.exp((place - 0.5) * _BIN) > limit_ms)
        return above / self.count if self.count else 0.0

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
