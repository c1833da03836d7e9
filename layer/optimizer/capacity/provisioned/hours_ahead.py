"""Value provisioned concurrency by the hour for the hours ahead, from the same forecast as pings. Pure."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.capacity.provisioned.timetable import READY_MINUTES
from optimizer.core import Way
from optimizer.prices import Rates, aws_lambda
from optimizer.traffic.forecast import ColdStartForecast, Reals

_HOUR = 60
_DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class ProvisionedAhead:
    """Provisioned concurrency of the hours ahead, and what it is expected to change."""

    # (first minute, end minute not included, environments).
    stretches: tuple[tuple[int, int, int], ...]
    way: Way


def provision_ahead(
    forecast: ColdStartForecast,
    *,
    first_minute_of_hour: int,
    rates: Rates,
    memory_mb: int,
    init_ms: float,
    usd_per_cold_start: float,
    most: int | None,
) -> ProvisionedAhead:
    """Return the environments of each clock hour ahead that gain most; none if nothing is gained.

    Held environments are requested READY_MINUTES before they are ready, and billed from then on. A second of a call
    costs less on them than on demand. most: None means no limit. Raise NoPrice where provisioned concurrency has none.
    """
    init_usd = float(aws_lambda.init_usd(rates, memory_mb, init_ms))
    hour_usd = float(aws_lambda.provisioned_usd(rates, memory_mb, 1, 3_600))
    busy_hour_usd = float(aws_lambda.gb_seconds(memory_mb, 3_600_000) * aws_lambda.cheaper_usd(rates))
    levels = forecast.levels
    allowed = len(levels.high) if most is None else int(np.searchsorted(levels.high, most, side="right"))
    high = np.concatenate([[0.0], levels.high[:allowed]])
    hour = (np.arange(len(forecast.cold)) + first_minute_of_hour) // _HOUR
    share = np.bincount(hour) / _HOUR
    cold, busy = (
        np.concatenate([np.zeros((len(share), 1)), np.cumsum(_by_hour(values, hour), axis=1)], axis=1)
        for values in (forecast.cold[:, :allowed], _busy(forecast, high))
    )
    held = share[:, None] * high
    worth = (usd_per_cold_start + init_usd) * cold + busy_hour_usd * busy - hour_usd * held
    chosen = _best_hours(worth, high, hour_usd * READY_MINUTES / _HOUR)
    rows = np.arange(len(share))
    avoided = float(cold[rows, chosen].sum())
    environments = high[chosen]
    started = float(np.maximum(np.diff(environments, prepend=0.0), 0).sum()) * READY_MINUTES / _HOUR
    price = hour_usd * (float(held[rows, chosen].sum()) + started) - busy_hour_usd * float(busy[rows, chosen].sum())
    return ProvisionedAhead(_stretches(environments[hour]), Way(price - init_usd * avoided, avoided))


def _by_hour(values: Reals, hour: NDArray[np.int64]) -> Reals:
    result = np.zeros((int(hour[-1]) + 1, values.shape[1]))
    np.add.at(result, hour, values)
    return result


def _busy(forecast: ColdStartForecast, high: Reals) -> Reals:
    """Return the busy environment-hours that each level takes in each minute, by Erlang's loss formula."""
    load, which = np.unique(forecast.in_progress, return_inverse=True)
    lost, taken, number = np.ones(len(load)), [], 0
    for low, end in itertools.pairwise(high.astype(int).tolist()):
        before = lost
        for number in range(low + 1, end + 1):
            lost = load * lost / (number + load * lost)
        taken.append(load * (before - lost) / _HOUR)
    return np.array(taken).reshape(len(high) - 1, len(load)).T[which]


def _best_hours(worth: Reals, high: Reals, start_usd: float) -> NDArray[np.int64]:
    """Return the level held in each hour, by dynamic programming backwards: starting one has its price."""
    starts = start_usd * np.maximum(high - high[:, None], 0)
    after = np.zeros(len(high))
    choices = []
    for row in worth[::-1]:
        value = (row + after) - starts
        choice = value.argmax(axis=1)
        choices.append(choice)
        after = value[np.arange(len(high)), choice]
    level, chosen = 0, []
    for choice in choices[::-1]:
        level = int(choice[level])
        chosen.append(level)
    return np.array(chosen)


def _stretches(environments: Reals) -> tuple[tuple[int, int, int], ...]:
    """Return the stretches of equal environments; each is requested as early as it takes to be ready."""
    edges = [0, *(np.flatnonzero(np.diff(environments)) + 1).tolist(), len(environments)]
    held = [(first, end, int(environments[first])) for first, end in itertools.pairwise(edges)]
    ready = READY_MINUTES
    result, until = [], 0
    for index, (first, end, count) in enumerate(held):
        later = held[index + 1][2] if index + 1 < len(held) else 0
        begin, until = until if index else first, max(end - ready, first + 1) if later > count else end
        if count and until > begin:
            result.append((begin, until, count))
    return tuple(result)
