"""Choose the pings of the hours ahead that gain most: when, and of how many environments."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic import Ints
from optimizer.traffic.forecast import ColdStartForecast, Lives, Reals, poisson

# (minute, environments) each.
type Pings = tuple[tuple[int, int], ...]

# The best of many plans looks better than it is, so a plan has to gain a tenth more than it costs.
_CAUTION = 0.9
# More calls than these beyond the mean are in progress in no minute that counts.
_BEYOND_THE_MEAN = 39
# The next ping comes when at least one of these shares is still alive; finer steps gain nothing.
_ALIVE_AT_NEXT = (0.995, 0.97, 0.93, 0.87, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2)
# Gains beyond the hours ahead count half: a plan that is made later decides about them.
_OF_LATER = 0.5


@dataclass(frozen=True, slots=True)
class PingPrices:
    """The price of a ping, in USD."""

    # A ping of no environment: its schedule and the run of the warmer.
    ping_usd: float
    # Each environment that it holds.
    environment_usd: float
    # INIT of an environment, whoever starts it.
    init_usd: float


@dataclass(frozen=True, slots=True)
class PingPlan:
    """Pings, and what they are expected to change."""

    pings: Pings
    avoided_cold_starts: float
    # Pings and the INIT that they start, less the INIT of avoided cold starts.
    net_usd: float


def plan_pings(
    forecast: ColdStartForecast,
    prices: PingPrices,
    usd_per_cold_start: float,
    lives: Lives,
    most: int,
    sent: Pings = (),
) -> PingPlan:
    """Return the pings with the highest expected gain; none if nothing is gained.

    A ping is sent at any second of its minute, so a ping of minute m counts from minute m + 1 on, in each minute with
    the share of environments that is alive by then. The next ping comes soon enough for most of them to be alive, or
    later, and has to start the others: the margin between pings follows from the spread of the lives. The result is
    exact for the distances tried, by dynamic programming backwards from the end.

    most: the most environments that may be held. sent: pings of the minutes before, whose minutes are below 0; what
    they hold warm needs no ping while it is alive.
    """
    allowed = int(np.searchsorted(forecast.levels.high, most, side="right"))
    if not allowed:
        return PingPlan((), 0.0, 0.0)
    high, size = forecast.levels.high[:allowed], forecast.levels.size[:allowed]
    gone = 1 - _still_alive(forecast, lives, sent)[:, :allowed]
    cold = np.cumsum(forecast.cold[:, :allowed] * gone, axis=1)
    warm = 1 - (1 - forecast.warm[:, :allowed]) * gone
    # Calls in progress keep their environments; a ping reaches the idle ones.
    count = np.maximum(1, high - np.floor(forecast.in_progress)[:, None])
    # Where more calls than usual are in progress, fewer environments are idle than a ping asks for, and it starts them.
    started_beside = _excess(forecast.in_progress)[:, None] * (1 - _next_level(warm))
    price = prices.ping_usd + prices.environment_usd * count + prices.init_usd * started_beside
    # Environments up to each level that a ping has to start if no ping came before.
    to_start = np.cumsum(size * (1 - warm), axis=1)
    alive = lives.found_alive()
    gaps = _gaps(alive)
    held = _Held.of(cold * _CAUTION * (usd_per_cold_start + prices.init_usd), alive, gaps)
    chosen = _choose(held, price, to_start * prices.init_usd)
    total_avoided = usd = 0.0
    for ping in chosen:
        still_alive = 0.0 if ping.before is None else ping.alive * to_start[ping.minute, min(ping.before, ping.level)]
        usd += float(
            price[ping.minute, ping.level] + prices.init_usd * (to_start[ping.minute, ping.level] - still_alive)
        )
        later = cold[ping.minute + 1 : ping.minute + 1 + ping.minutes, ping.level]
        total_avoided += float(alive[1 : 1 + len(later)] @ later)
    pings = tuple((ping.minute, int(count[ping.minute, ping.level])) for ping in chosen)
    assert all(minute < len(cold) for minute, _ in pings)  # noqa: S101  the plan ends where the forecast ends
    return PingPlan(pings, total_avoided, usd - prices.init_usd * total_avoided)


def _still_alive(forecast: ColdStartForecast, lives: Lives, sent: Pings) -> Reals:
    """Return the probability that pings sent before still hold each level in each minute: [minutes, levels]."""
    alive = np.zeros_like(forecast.cold)
    found = lives.found_alive()
    for minute, environments in sent:
        left = found[-minute : len(alive) - minute]
        # Calls in progress keep their environments; the ping reached idle ones.
        reached = forecast.levels.high <= environments + np.floor(forecast.in_progress[0])
        alive[: len(left), reached] = np.maximum(alive[: len(left), reached], left[:, None])
    return alive


def _gaps(alive: Reals) -> Ints:
    """Return the distances in minutes at which a next ping is tried: the longest for each of some shares alive."""
    shares = alive[1:]
    gaps = {int((shares >= share - 1e-9).sum()) for share in _ALIVE_AT_NEXT}
    return np.array(sorted(gap for gap in gaps if gap) or [1])


def _excess(mean: Reals) -> Reals:
    """Return by how many calls a Poisson number with this mean exceeds the mean's whole part, on the average."""
    hours, which = np.unique(mean, return_inverse=True)
    whole = np.floor(hours)
    most = int(whole.max(initial=0)) + _BEYOND_THE_MEAN
    beyond = np.maximum(np.arange(most + 1) - whole[:, None], 0)
    return np.asarray((beyond * poisson(hours, most)).sum(axis=1)[which])


def _next_level(warm: Reals) -> Reals:
    return np.concatenate([warm[:, 1:], np.zeros((len(warm), 1))], axis=1)


@dataclass(frozen=True, slots=True)
class _Held:
    """The gain of a ping that holds all levels up to each one, until the next ping or until its environments die."""

    # [minutes, gaps, levels]: up to the next ping, so many minutes later.
    until_next: Reals
    # [minutes, levels]: the gain of a ping that is the last for some time.
    until_dead: Reals
    # The gaps in minutes, the share of environments alive after each, and the minutes after which none is.
    gaps: Ints
    alive: Reals
    longest: int

    @classmethod
    def of(cls, gain: Reals, alive: Reals, gaps: Ints) -> "_Held":
        """Return the gains, continued beyond the hours ahead by a share of those of the last hour."""
        minutes, longest = len(gain), len(alive) - 1
        after = np.broadcast_to(_OF_LATER * gain[-60:].mean(axis=0), (longest, gain.shape[1]))
        gain = np.concatenate([gain, after])
        until_next = np.empty((minutes, len(gaps), gain.shape[1]))
        total = np.zeros((minutes, gain.shape[1]))
        for minute in range(1, longest + 1):
            total += alive[minute] * gain[minute : minute + minutes]
            until_next[:, gaps == minute] = total[:, None]
        return cls(until_next, total, gaps, alive[gaps], longest)


@dataclass(frozen=True, slots=True)
class _Ping:
    minute: int
    level: int
    # The level of the ping that holds environments up to this one, None if there is none; the share of them alive.
    before: int | None
    alive: float
    # The minutes for which it counts.
    minutes: int


def _choose(held: _Held, price: Reals, init_usd: Reals) -> list[_Ping]:
    """Return the best pings."""
    minutes, levels = price.shape
    # The best gain from a ping of a level on, without its own price, and from a minute on that nothing holds.
    after = np.zeros((minutes, levels))
    free = [0.0] * (minutes + held.longest + 1)
    goes_on: NDArray[np.int64] = np.full((minutes, levels), -1)
    begins: NDArray[np.int64] = np.full(minutes, -1)
    # The best gain of the next ping at each distance; impossible beyond the hours ahead.
    follows = np.full((minutes, len(held.gaps), levels), -np.inf)
    gaps = list(enumerate(held.gaps.tolist()))
    dead_usd = (1 - held.alive[:, None]) * init_usd[:, None]
    alive_usd = held.alive[:, None] * init_usd[:, None]
    for minute in range(minutes - 1, -1, -1):
        last = held.until_dead[minute] + free[minute + held.longest]
        later = held.until_next[minute] + follows[minute]
        next_ping = later.max(axis=0)
        np.copyto(goes_on[minute], later.argmax(axis=0), where=next_ping > last)
        best = np.maximum(next_ping, last, out=after[minute])
        gain = best - price[minute]
        begin = gain - init_usd[minute]
        # A further ping holds no more levels, and starts what died; or more, and starts these as well.
        fewer = np.maximum.accumulate(gain - dead_usd[minute], axis=1)
        more = np.maximum.accumulate(begin[::-1])[::-1] + alive_usd[minute]
        value = np.maximum(fewer, more)
        for index, gap in gaps:
            if gap > minute:
                break
            follows[minute - gap, index] = value[index]
        level = int(begin.argmax())
        free[minute] = free[minute + 1]
        if begin[level] > free[minute]:
            free[minute], begins[minute] = float(begin[level]), level
    return _walk(held, begins, goes_on, after - price, init_usd)


def _walk(
    held: _Held, begins: NDArray[np.int64], goes_on: NDArray[np.int64], gain: Reals, init_usd: Reals
) -> list[_Ping]:
    """Follow the choices forwards."""
    chosen: list[_Ping] = []
    minute = 0
    while minute < len(begins):
        level, before, alive = int(begins[minute]), None, 0.0
        if level < 0:
            minute += 1
            continue
        while (which := int(goes_on[minute, level])) >= 0:
            gap = int(held.gaps[which])
            chosen.append(_Ping(minute, level, before, alive, gap))
            minute, before, alive = minute + gap, level, float(held.alive[which])
            kept = alive * np.minimum(init_usd[minute], init_usd[minute, level])
            level = int((gain[minute] - init_usd[minute] + kept).argmax())
        chosen.append(_Ping(minute, level, before, alive, held.longest))
        minute += held.longest
    return chosen
