"""Compute points of AWS/Lambda metrics over periods, from the parts of a workload."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from local_account.traces import Numbers
from local_account.workload import Part

# CloudWatch keeps finer points for a shorter time (CloudWatch User Guide, metrics retention).
_KEPT = ((3600, timedelta(days=455)), (300, timedelta(days=63)), (60, timedelta(days=15)))
_BISECTIONS = 40
# Shape of a distribution so narrow that it is as good as one value.
_SHARPEST = 200.0
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)$")
STATISTICS = frozenset({"Sum", "Average", "Maximum", "Minimum", "SampleCount"})


class UnknownStatistic(ValueError):
    """Neither one of the five statistics nor a percentile."""


@dataclass(frozen=True, slots=True)
class Points:
    """`times` are the starts of periods in epoch seconds, rising; periods without activity are left out."""

    times: npt.NDArray[np.int64]
    values: Numbers


NO_POINTS = Points(np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Samples:
    """The data that CloudWatch stores of one minute of one version: `count` samples with `total`, `least` and `most`.

    `shape` is that of the log-logistic distribution around the mean, None where there is one value a minute.
    """

    minutes: npt.NDArray[np.int64]
    count: Numbers
    total: Numbers
    least: Numbers
    most: Numbers
    shape: Numbers | None = None


def kept_since(period_s: int, now: datetime) -> datetime:
    """Return the oldest time of which CloudWatch still has points for this period."""
    age = next((age for finest_s, age in _KEPT if period_s % finest_s == 0), timedelta(hours=3))
    return now - age


def samples(metric: str, part: Part, epoch_minute: int, shape: float, timeout_ms: float) -> Samples:
    """Return the samples of a metric in a part, for minutes with calls; `epoch_minute` is that of minute 0."""
    called = part.invocations > 0
    calls = part.invocations[called].astype(np.float64)
    minutes = np.flatnonzero(called) + part.first + epoch_minute
    if metric == "Duration":
        mean, within = part.duration_ms[called], _shape_within(shape, calls)
        median = mean / _mean_of_median(within)
        least = np.minimum(_quantile(median, 1.0 / (calls + 1.0), within), mean)
        most = np.clip(_quantile(median, calls / (calls + 1.0), within), mean, np.maximum(timeout_ms, mean))
        return Samples(minutes, calls, calls * mean, least, most, within)
    ones = np.ones(len(calls))
    if metric == "Invocations":
        return Samples(minutes, calls, calls, ones, ones)
    if metric in ("Errors", "Throttles"):
        total = part.errors[called].astype(np.float64) if metric == "Errors" else 0.0 * ones
        return Samples(minutes, calls, total, (total >= calls) * ones, np.minimum(total, 1.0))
    busy = part.concurrency[called].astype(np.float64)
    if metric == "ConcurrentExecutions":
        return Samples(minutes, ones, busy, busy, busy)
    ready = float(part.provisioned)
    if not ready:
        return Samples(minutes[:0], calls[:0], calls[:0], calls[:0], calls[:0])
    spilled = np.rint(calls * _lost(calls * part.duration_ms[called] / 60_000.0, part.provisioned))
    values = {
        "ProvisionedConcurrentExecutions": np.minimum(busy, ready),
        "ProvisionedConcurrencyUtilization": np.minimum(busy, ready) / ready,
        "ProvisionedConcurrencyInvocations": calls - spilled,
        "ProvisionedConcurrencySpilloverInvocations": spilled,
    }[metric]
    return Samples(minutes, ones, values, values, values)


def _lost(load: Numbers, servers: int) -> Numbers:
    """Return the share of random calls that find all of so many environments busy (Erlang's loss formula)."""
    lost = np.ones_like(load)
    for number in range(1, servers + 1):
        lost = load * lost / (number + load * lost)
    return lost


METRICS = (
    "Invocations",
    "Duration",
    "Errors",
    "Throttles",
    "ConcurrentExecutions",
    "ProvisionedConcurrentExecutions",
    "ProvisionedConcurrencyUtilization",
    "ProvisionedConcurrencyInvocations",
    "ProvisionedConcurrencySpilloverInvocations",
)


def aggregate(pieces: Sequence[Samples], period_s: int, statistic: str) -> Points:
    """Return one point a period; raise UnknownStatistic if CloudWatch does not have it for these metrics."""
    if statistic not in STATISTICS and not PERCENTILE.match(statistic):
        raise UnknownStatistic(f"The value {statistic} for parameter Stat is not supported.")
    pieces = [piece for piece in pieces if len(piece.minutes)]
    if not pieces:
        return NO_POINTS
    minutes = np.concatenate([piece.minutes for piece in pieces])
    order = np.argsort(minutes, kind="stable")
    bins = minutes[order] * 60 // period_s * period_s
    firsts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    times = bins[firsts].astype(np.int64)

    def column(name: str) -> Numbers:
        joined: Numbers = np.concatenate([getattr(piece, name) for piece in pieces])[order]
        return joined

    count = column("count")
    if statistic == "SampleCount":
        return Points(times, np.add.reduceat(count, firsts))
    if statistic == "Sum":
        return Points(times, np.add.reduceat(column("total"), firsts))
    if statistic == "Average":
        return Points(times, np.add.reduceat(column("total"), firsts) / np.add.reduceat(count, firsts))
    if statistic == "Minimum":
        return Points(times, np.minimum.reduceat(column("least"), firsts))
    most = column("most")
    if statistic == "Maximum":
        return Points(times, np.maximum.reduceat(most, firsts))
    level = float(statistic[1:]) / 100.0
    least = np.minimum.reduceat(column("least"), firsts)
    if pieces[0].shape is None:
        found = _percentile_of_values(most, firsts, level)
    else:
        shape = column("shape")
        found = _percentile_of_mixture(column("total") / count / _mean_of_median(shape), count, firsts, level, shape)
    return Points(times, np.clip(found, least, np.maximum.reduceat(most, firsts)))


def _shape_within(shape: float, calls: Numbers) -> Numbers:
    """Return the shape of a minute's calls around that minute's own mean, which takes 1/n of their variance away."""
    return np.minimum(shape / np.sqrt(np.maximum(1.0 - 1.0 / calls, 1e-9)), _SHARPEST)


def _mean_of_median(shape: Numbers) -> Numbers:
    """Return mean over median of a log-logistic distribution (shape > 1)."""
    angle = np.pi / shape
    ratio: Numbers = angle / np.sin(angle)
    return ratio


def _quantile(median: Numbers, level: Numbers, shape: Numbers) -> Numbers:
    quantile: Numbers = median * (level / (1.0 - level)) ** (1.0 / shape)
    return quantile


def _percentile_of_mixture(
    median: Numbers, count: Numbers, firsts: npt.NDArray[np.intp], level: float, shape: Numbers
) -> Numbers:
    """Return the value below which `level` of each period's calls lie, by bisection of the mixture's distribution.

    Of n calls the percentile is the ceil(level n)-th, expected at that place over n + 1: one call has no tail.
    """
    total = np.add.reduceat(count, firsts)
    aim = np.clip(np.ceil(level * total), 1.0, total) / (total + 1.0)
    sizes = np.diff(np.r_[firsts, len(median)])
    each = _quantile(median, np.repeat(aim, sizes), shape)
    low, high = np.minimum.reduceat(each, firsts), np.maximum.reduceat(each, firsts)
    if (sizes == 1).all():
        return low
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        steps = np.clip(shape * np.log(median / np.repeat(middle, sizes)), -50.0, 50.0)
        below = np.add.reduceat(count / (1.0 + np.exp(steps)), firsts) / total < aim
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2.0


def _percentile_of_values(values: Numbers, firsts: npt.NDArray[np.intp], level: float) -> Numbers:
    return np.array([np.quantile(chunk, level) for chunk in np.split(values, firsts[1:])])


def as_datetimes(times: npt.NDArray[np.int64]) -> list[datetime]:
    """Return epoch seconds as times in UTC."""
    return [datetime.fromtimestamp(int(time), UTC) for time in times]
