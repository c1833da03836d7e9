"""Find the stretches of time in which holding environments is worth most, and the prices of pings."""

import itertools
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from optimizer.prices import aws_lambda
from optimizer.warmups.ping_plan import PingPrices


def best_cover(value: NDArray[np.floating], keep_alive_minutes: int, plan_minutes: int) -> NDArray[np.bool_]:
    """Return the stretches with the highest total value for each level: [minutes, levels], True if held.

    value: [minutes, levels], the gain of holding a level through a minute (negative: a cost). It reaches
    `keep_alive_minutes` beyond the `plan_minutes` in which pings may start, because a ping holds its environments
    through its own minute and the keep-alive time after it. A stretch is therefore at least keep-alive + 1 minutes
    long. The result is exact, by dynamic programming backwards from the end.
    """
    shortest = keep_alive_minutes + 1
    cover = np.zeros(value.shape, bool)
    gains = (value > 0).any(axis=0)
    value = value[:, gains]
    minutes, levels = value.shape
    total = np.zeros((minutes + 1, levels))
    np.cumsum(value, axis=0, out=total[1:])
    stretch = total[shortest:] - total[:-shortest]
    # The best total of the minutes from t on if nothing is held at t, and if a stretch may continue.
    free, held = np.zeros((2, minutes + 1, levels))
    begins = np.zeros((minutes + 1, levels), bool)
    goes_on = np.zeros((minutes + 1, levels), bool)
    for t in range(minutes - 1, -1, -1):
        on = value[t] + held[t + 1]
        if t >= plan_minutes:
            np.greater(on, 0, out=goes_on[t])
            np.maximum(on, 0, out=held[t])
            continue
        begin = stretch[t] + held[t + shortest]
        np.greater(begin, free[t + 1], out=begins[t])
        np.maximum(begin, free[t + 1], out=free[t])
        np.greater(on, free[t], out=goes_on[t])
        np.maximum(on, free[t], out=held[t])
    cover[:, gains] = _walk(begins, goes_on, shortest)[:minutes]
    return cover


def _walk(begins: NDArray[np.bool_], goes_on: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Follow the choices forwards from stretch to stretch. Stretches are few, so plain Python is fast enough."""
    cover = np.zeros_like(begins)
    minutes = len(begins)
    ends = _next_true(~goes_on)
    starts = _next_true(begins)
    for level in range(begins.shape[1]):
        next_start, next_end = starts[:, level].tolist(), ends[:, level].tolist()
        t = next_start[0]
        while t < minutes:
            end = next_end[t + shortest]
            cover[t:end, level] = True
            t = next_start[end]
    return cover


def _next_true(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each row and column the first row from there on that is true; the number of rows if there is none."""
    rows = len(flags)
    row_numbers = np.where(flags, np.arange(rows)[:, None], rows)
    return np.minimum.accumulate(row_numbers[::-1], axis=0)[::-1]


def provisioned_intervals(held: NDArray[np.floating]) -> list[tuple[int, int, int]]:
    """Return the stretches of `held` as (first minute, end minute not included, environments)."""
    edges = [0, *(np.flatnonzero(np.diff(held)) + 1).tolist(), len(held)]
    return [(first, end, int(held[first])) for first, end in itertools.pairwise(edges) if held[first]]


SCHEDULE_USD = Decimal("0.000001")
# The memory and architecture with which template.yaml deploys warm_function.
_WARMER_MEMORY_MB = 256
_WARMER_ARCHITECTURE = "arm64"
# warm_function runs longer than the hold: most of its calls come minutes apart, so it pays for its own INIT as well.
_OVERHEAD_MS = 1000.0


# The calls of one ping are sent within this time; otherwise warm_function holds them longer in a second round.
HOLD_MS = 200


def ping_prices(architecture: str, memory_mb: int, init_ms: float) -> PingPrices:
    """Return the prices of the pings of one function."""

    def usd(schedules: int, calls: int, cold_calls: int) -> float:
        return pings_usd(
            architecture=architecture,
            memory_mb=memory_mb,
            schedules=schedules,
            calls=calls,
            cold_calls=cold_calls,
            hold_ms=HOLD_MS,
            init_ms=init_ms,
        )

    ping = usd(1, 0, 0)
    init = float(aws_lambda.gb_seconds(memory_mb, init_ms) * aws_lambda.rates(architecture).tiers[0].gb_second_usd)
    return PingPrices(ping, usd(1, 1, 0) - ping, init)


def pings_usd(
    *, architecture: str, memory_mb: int, schedules: int, calls: int, cold_calls: float, hold_ms: float, init_ms: float
) -> float:
    """Return the price of `schedules` pings with `calls` calls in total, of which `cold_calls` start an environment."""
    warm_call = aws_lambda.call_usd(architecture, memory_mb, hold_ms)
    init = aws_lambda.call_usd(architecture, memory_mb, hold_ms, init_ms) - warm_call
    warmer = aws_lambda.call_usd(_WARMER_ARCHITECTURE, _WARMER_MEMORY_MB, hold_ms + _OVERHEAD_MS)
    wait = aws_lambda.call_usd(_WARMER_ARCHITECTURE, _WARMER_MEMORY_MB, init_ms) - aws_lambda.REQUEST_USD
    # warm_function waits for INIT at most once a ping, however many environments the ping starts.
    waits = Decimal(min(float(schedules), cold_calls))
    return float(schedules * (SCHEDULE_USD + warmer) + calls * warm_call + Decimal(cold_calls) * init + waits * wait)
