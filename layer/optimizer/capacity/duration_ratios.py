"""How the durations of two sides compare: their mean, typical duration and 95th percentile, each with its error. Pure.

Durations of one machine depend on each other: levels last for hours or days, environments differ, and the calls of one
side may come in turns with something else. So no error here takes calls as independent. Both sides are paired by time,
which cancels what they share; the differences of the pairs are added up in batches, and where the batches vary more
than independent pairs would, the error grows by as much.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from statistics import NormalDist, fmean, median
from typing import Protocol

SURE, LIKELY = NormalDist().inv_cdf(0.995), NormalDist().inv_cdf(0.95)
_LEAST_PAIRS = 5
_LEAST_FREEDOM = 3.0
_PARTS_MINUTES, _LEAST_PARTS = (1, 5, 15, 60, 180), 24
# Batches whose spread shows how much the pairs depend on each other.
_BATCHES = 20
# With fewer calls, the 90th, 95th and 99th percentiles say little more than the slowest call.
_LEAST_CALLS_P95 = 50
# The median of a few calls is off by more the fewer they are: the fifth of ten is exceeded by more than half of all.
# That cancels where both sides have about as many calls, and is small with many.
_ALIKE_CALLS, _MANY_CALLS = 2.0, 50.0


@dataclass(frozen=True, slots=True)
class Minute:
    """Calls in one minute (one hour where days are compared): their mean, median and 95th percentile in ms.

    0 without calls; None where it was not measured.
    """

    calls: float
    mean_ms: float
    median_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One version in the window.

    minutes: one for each minute (or hour) of the window, in order. p90_ms, p95_ms, p99_ms: of the whole window, or
    None. parts: the same calls in longer parts, where medians were measured of those.
    """

    minutes: Sequence[Minute] = ()
    errors: float = 0.0
    throttles: float = 0.0
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    parts: Sequence[Minute] = ()

    @property
    def calls(self) -> float:
        """Number of calls in the window."""
        return sum(minute.calls for minute in self.minutes)


def part_minutes(window_minutes: float) -> int:
    """Return how long the parts of a window are: with enough calls in each for a median, and enough of them."""
    return max((part for part in _PARTS_MINUTES if window_minutes >= _LEAST_PARTS * part), default=_PARTS_MINUTES[0])


class Ratio(Protocol):
    """The logarithm of new / old."""

    @property
    def value(self) -> float:
        """Best estimate."""

    def reach(self, certain: float) -> float:
        """Return how far the true value may lie on either side; `certain`: in standard errors of a normal variable."""


@dataclass(frozen=True, slots=True)
class LogRatio:
    """A ratio with its standard error. freedom: degrees of freedom that the error was estimated with."""

    value: float
    error: float
    freedom: float = math.inf

    def reach(self, certain: float) -> float:
        """Return how far the true value may lie on either side, by Student's distribution."""
        return self.error * student(certain, self.freedom)


@dataclass(frozen=True, slots=True)
class MedianRatio:
    """The median of the logarithms of new / old over pairs. logs: rising. spread: how many times as large as that of
    independent pairs the variance of batches is."""

    logs: tuple[float, ...]
    spread: float

    @property
    def value(self) -> float:
        """The median."""
        return median(self.logs)

    def reach(self, certain: float) -> float:
        """Return the distance to the further end of the interval between two of the pairs, infinite with too few.

        The number of pairs below the true median is binomial, whatever the distribution.
        """
        count = len(self.logs)
        below = math.floor((count - certain * math.sqrt(count * self.spread)) / 2)
        if below < 1:
            return math.inf
        middle = self.value
        return max(middle - self.logs[below - 1], self.logs[count - below] - middle)


def student(certain: float, freedom: float) -> float:
    """Return the quantile of Student's distribution at the chance that a normal variable is below `certain`.

    Source: Wallace, D. L. (1959), "Bounds on normal approximations to Student's and the chi-square distributions",
    Annals of Mathematical Statistics 30(4); his transformation solved for t. At a chance of 0.5 % it is 3.5 % too large
    for three degrees of freedom, 1 % for five.
    """
    if math.isinf(freedom):
        return certain
    moved = certain * (8 * freedom + 3) / (8 * freedom + 1)
    return math.copysign(math.sqrt(freedom * math.expm1(moved * moved / freedom)), certain)


def mean_ratio(old: Side, new: Side) -> LogRatio | None:
    """Return the ratio of the mean durations; None with too few minutes.

    Its error comes from the differences minute by minute, in which the time of day that both sides share cancels out. A
    ratio estimator, see Cochran, Sampling Techniques, section 6.
    """
    calls_old, calls_new = old.calls, new.calls
    pairs = [(a, b) for a, b in zip(old.minutes, new.minutes, strict=True) if a.calls or b.calls]
    filled = min(sum(a.calls > 0 for a, _ in pairs), sum(b.calls > 0 for _, b in pairs))
    if filled < _LEAST_PAIRS:
        return None
    mean_old = sum(a.calls * a.mean_ms for a, _ in pairs) / calls_old
    mean_new = sum(b.calls * b.mean_ms for _, b in pairs) / calls_new
    if mean_old <= 0 or mean_new <= 0:
        return None
    residuals = [
        b.calls * (b.mean_ms - mean_new) / (calls_new * mean_new)
        - a.calls * (a.mean_ms - mean_old) / (calls_old * mean_old)
        for a, b in pairs
    ]
    squares = sum(r * r for r in residuals)
    if _are_alike(old.minutes, new.minutes):
        squares = max(squares, _squares_if_equal(pairs, calls_old, calls_new))
    spread = batch_spread(residuals)
    # An error that is taken from batches is known from them alone.
    most = filled - 1 if spread <= 1.0 else min(filled, _BATCHES) - 1
    error = math.sqrt(squares * spread * filled / (filled - 1))
    return LogRatio(math.log(mean_new / mean_old), error, min(most, _freedom(residuals)))


def _squares_if_equal(pairs: Sequence[tuple[Minute, Minute]], calls_old: float, calls_new: float) -> float:
    """Return the variance of the ratio if both sides had one distribution.

    A side that met few of the rare slow calls looks calmer than it is.
    """
    total = sum(a.calls * a.mean_ms + b.calls * b.mean_ms for a, b in pairs)
    mean = total / (calls_old + calls_new)
    return sum(
        (a.calls * (a.mean_ms / mean - 1) / calls_old) ** 2 + (b.calls * (b.mean_ms / mean - 1) / calls_new) ** 2
        for a, b in pairs
    )


def _freedom(residuals: Sequence[float]) -> float:
    """Return the degrees of freedom of a variance, which are few where a few large residuals make it up.

    The variance of a sample variance, by the fourth moment: see Cramér, Mathematical Methods of Statistics, 27.4.
    """
    squares = sum(r * r for r in residuals)
    rest = sum(r**4 for r in residuals) - squares * squares / len(residuals)
    return max(_LEAST_FREEDOM, 2 * squares * squares / rest) if rest > 0 else math.inf


def typical_ratio(old: Side, new: Side) -> MedianRatio | None:
    """Return the ratio of the typical durations: the median over pairs of parts; None with too few pairs.

    Rare slow calls, a bad hour and a mix of fast and slow machines move a mean far more than this.
    """
    parts = _parts_of(old, new)
    least = 1.0 if _are_alike(*parts) else _MANY_CALLS
    return median_ratio(*([_typical(one, least) for one in of] for of in parts))


def tail_ratio(old: Side, new: Side) -> MedianRatio | None:
    """Return the ratio of the 95th percentiles, as the median over pairs of parts; None where they are not known."""
    parts = _parts_of(old, new)
    return median_ratio(*([part.p95_ms if part.calls else None for part in of] for of in parts))


def median_ratio(old_ms: Iterable[float | None], new_ms: Iterable[float | None]) -> MedianRatio | None:
    """Return the median of new / old over pairs that are next to each other in time; None with too few."""
    logs = [math.log(b / a) for a, b in _pairs(old_ms, new_ms)]
    if len(logs) < _LEAST_PAIRS:
        return None
    middle = median(logs)
    return MedianRatio(tuple(sorted(logs)), batch_spread([float((one > middle) - (one < middle)) for one in logs]))


def p95_ratio(old: Side, new: Side) -> LogRatio | None:
    """Return the ratio of the 95th percentiles; the density there is estimated from the 90th and the 99th."""
    parts = [log_p95(side) for side in (old, new)]
    if parts[0] is None or parts[1] is None:
        return None
    value = min(parts[1].value - parts[0].value, most_of_neighbours(old, new))
    return LogRatio(value, math.hypot(parts[0].error, parts[1].error))


def most_of_neighbours(old: Side, new: Side) -> float:
    """Return the larger logarithm of the ratios of the 90th and of the 99th percentile.

    Slower calls move these as well. Where one call in twenty is slow, the 95th percentile lies in the gap between fast
    and slow calls, and jumps across it by chance; how many calls are slow is told by the mean."""
    pairs = ((old.p90_ms, new.p90_ms), (old.p99_ms, new.p99_ms))
    return max((math.log(after / before) for before, after in pairs if before and after), default=math.inf)


def log_p95(side: Side) -> LogRatio | None:
    """Return the logarithm of the 95th percentile in ms."""
    if not side.p90_ms or not side.p95_ms or not side.p99_ms or side.calls < _LEAST_CALLS_P95:
        return None
    # The standard error of a quantile is sqrt(q (1 - q) / n) / density.
    density = 0.09 / max(side.p99_ms - side.p90_ms, 1e-9 * side.p95_ms)
    error = math.sqrt(0.95 * 0.05 / side.calls) / density / side.p95_ms
    return LogRatio(math.log(side.p95_ms), error)


def batch_spread(values: Sequence[float]) -> float:
    """Return how many times the variance of the sums of consecutive batches is that of independent values; at least 1.

    The values are in order of time and about zero. Batch means, see Law and Kelton, Simulation Modeling and Analysis.
    """
    size = max(2, round(len(values) / _BATCHES))
    squares = sum(value * value for value in values)
    batches = [sum(batch) for batch in batched(values, size, strict=False)]
    if squares <= 0 or len(batches) < 2:
        return 1.0
    return max(1.0, sum(batch * batch for batch in batches) / squares)


def _pairs(old_ms: Iterable[float | None], new_ms: Iterable[float | None]) -> Iterator[tuple[float, float]]:
    """Yield a pair as soon as both sides had calls since the last one."""
    old: list[float] = []
    new: list[float] = []
    for a, b in zip(old_ms, new_ms, strict=True):
        if a:
            old.append(a)
        if b:
            new.append(b)
        if old and new:
            yield median(old), median(new)
            old, new = [], []


def _parts_of(old: Side, new: Side) -> tuple[Sequence[Minute], Sequence[Minute]]:
    return (old.parts, new.parts) if old.parts and new.parts else (old.minutes, new.minutes)


def _typical(part: Minute, least_calls: float) -> float | None:
    if part.calls < least_calls:
        return None
    return part.mean_ms if part.median_ms is None else part.median_ms


def _are_alike(old: Sequence[Minute], new: Sequence[Minute]) -> bool:
    counts = [[part.calls for part in parts if part.calls] for parts in (old, new)]
    if not all(counts):
        return False
    rare, many = sorted(fmean(count) for count in counts)
    return many <= _ALIKE_CALLS * rare
