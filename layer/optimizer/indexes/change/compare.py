"""Compares the statements of a table before and after a change. Pure; durations in milliseconds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from optimizer.indexes.change.server import StatementTimes

# The mean of fewer calls varies too much for a comparison.
_CALLS = 30
_SIGMAS = 2.0


@dataclass(frozen=True, slots=True)
class StatementComparison:
    """The result of a comparison.

    slower: one sentence about the statement that slowed down most; empty if none is significantly slower.
    compared: the number of statements with enough calls before and after; with 0 nothing is known.
    """

    slower: str
    compared: int


def compare(
    before: Mapping[str, StatementTimes], now: Mapping[str, StatementTimes], max_slowdown: float
) -> StatementComparison:
    """Compare the counters at the time of the change with the present ones.

    A statement is slower if the mean of its calls since the change is more than `max_slowdown` times the mean before,
    and the difference is more than two standard errors. Where the server keeps no variance, the standard deviation is
    assumed to equal the mean, as for exponentially distributed durations. Counters that went down were reset, so such
    a statement is not compared.
    """
    compared, worst, ratio_of_worst = 0, "", 0.0
    for key, first in before.items():
        last = now.get(key)
        if last is None or last.calls - first.calls < _CALLS or first.calls < _CALLS:
            continue
        compared += 1
        since = StatementTimes(
            last.calls - first.calls,
            last.total_ms - first.total_ms,
            None
            if last.squares_ms2 is None or first.squares_ms2 is None
            else max(0.0, last.squares_ms2 - first.squares_ms2),
        )
        mean_before, mean_since = first.total_ms / first.calls, since.total_ms / since.calls
        error = math.sqrt(_variance(first) / first.calls + _variance(since) / since.calls)
        ratio = mean_since / mean_before if mean_before > 0 else 1.0
        if ratio > max_slowdown and mean_since - mean_before > _SIGMAS * error and ratio > ratio_of_worst:
            text = " ".join((last.text or first.text or key).split())
            worst = (
                f"A statement takes {mean_since:.2f} ms instead of {mean_before:.2f} ms on average of {since.calls} "
                f"calls (limit: {max_slowdown:g} times as long): {text[:120]}"
            )
            ratio_of_worst = ratio
    return StatementComparison(worst, compared)


def _variance(times: StatementTimes) -> float:
    mean = times.total_ms / times.calls
    if times.squares_ms2 is None:
        return mean * mean
    return max(0.0, times.squares_ms2 / times.calls - mean * mean)
