"""Choose the pings of the hours ahead that gain most: when, and of how many environments."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.forecast import ColdStartForecast, Reals, poisson

# It helps until the keep-alive time after it has passed, which is in the middle of a minute, on the average.
_OF_LAST_MINUTE = 0.5
# The best of many plans looks better than it is, so a plan has to gain a tenth more than it costs.
_CAUTION = 0.9
# More calls than these beyond the mean are in progress in no minute that counts.
_BEYOND_THE_MEAN = 39
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

    # (minute, environments).
    pings: tuple[tuple[int, int], ...]
    avoided_cold_starts: float
    # Pings and the INIT that they start, less the INIT of avoided cold starts.
    net_usd: float


def plan_pings(
    forecast: ColdStartForecast, prices: PingPrices, usd_per_cold_start: float, keep_alive_minutes: int, most: int
) -> PingPlan:
    """Return the pings with the highest expected gain; none if nothing is gained.

    A ping is sent at any second of its minute, so a ping of minute m counts from minute m + 1 on. Another ping
    keep-alive - 1 minutes later comes before its environments die; a later one has to start them. The result is exact
    for this choice of distances, by dynamic programming backwards from the end.

    most: the most environments that may be held.
    """
    allowed = int(np.searchsorted(forecast.levels.high, most, side="right"))
    if not allowed:
        return PingPlan((), 0.0, 0.0)
    high, size = forecast.levels.high[:allowed], forecast.levels.size[:allowed]
    cold, warm = np.cumsum(forecast.cold[:, :allowed], axis=1), forecast.warm[:, :allowed]
    # Calls in progress keep their environments; a ping reaches the idle ones.
    count = np.maximum(1, high - np.floor(forecast.in_progress)[:, None])
    # Where more calls than usual are in progress, fewer environments are idle than a ping asks for, and it starts them.
    started_beside = _excess(forecast.in_progress)[:, None] * (1 - _next_level(warm))
    price = prices.ping_usd + prices.environment_usd * count + prices.init_usd * started_beside
    # Environments up to each level that a ping has to start if no ping came before.
    to_start = np.cumsum(size * (1 - warm), axis=1)
    held = _Held.of(cold * _CAUTION * (usd_per_cold_start + prices.init_usd), keep_alive_minutes)
    chosen = _choose(held, price, to_start * prices.init_usd, keep_alive_minutes)
    avoided = _Held.of(cold, keep_alive_minutes, later=0.0)
    pings: list[tuple[int, int]] = []
    total_avoided = usd = 0.0
    for minute, level, level_before, hold_minutes in chosen:
        pings.append((minute, int(count[minute, level])))
        starts = to_start[minute, level] - (0.0 if level_before is None else to_start[minute, level_before])
        usd += float(price[minute, level]) + prices.init_usd * max(0.0, float(starts))
        total_avoided += float(avoided.after(minute, hold_minutes)[level])
    assert all(minute < len(cold) for minute, _ in pings)  # noqa: S101  the plan ends where the forecast ends
    return PingPlan(tuple(pings), total_avoided, usd - prices.init_usd * total_avoided)


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
    """The gain of holding all levels up to each one through stretches of minutes."""

    # [minutes, levels], and its sums from the beginning.
    gain: Reals
    total: Reals
    keep_alive_minutes: int

    @classmethod
    def of(cls, gain: Reals, keep_alive_minutes: int, later: float = _OF_LATER) -> "_Held":
        """Return the gains, continued beyond the hours ahead by a share of those of the last hour."""
        after = np.broadcast_to(later * gain[-60:].mean(axis=0), (keep_alive_minutes + 1, gain.shape[1]))
        gain = np.concatenate([gain, after])
        return cls(gain, np.concatenate([np.zeros((1, gain.shape[1])), np.cumsum(gain, axis=0)]), keep_alive_minutes)

    def until_next(self, minute: int, gap: int) -> Reals:
        """Return the gain after a ping up to the next one, `gap` minutes later."""
        return np.asarray(self.total[minute + gap + 1] - self.total[minute + 1])

    def until_dead(self, minute: int) -> Reals:
        """Return the gain after a ping that is the last for some time."""
        end = minute + self.keep_alive_minutes
        return np.asarray(self.total[end] - self.total[minute + 1] + _OF_LAST_MINUTE * self.gain[end])

    def after(self, minute: int, gap: int | None) -> Reals:
        """Return the gain of one ping up to the next one, or up to the end of its environments (None)."""
        return self.until_dead(minute) if gap is None else self.until_next(minute, gap)


def _choose(
    held: _Held, price: Reals, init_usd: Reals, keep_alive_minutes: int
) -> list[tuple[int, int, int | None, int | None]]:
    """Return for each ping its minute, its level, the level of the ping that holds environments up to it (None: none)
    and the minutes to the next one (None: its environments die first)."""
    minutes, levels = price.shape
    gap = max(1, keep_alive_minutes - 1)
    each = np.arange(levels)
    # The best gain from a ping of a level on, without its own price, and from a minute on that nothing holds.
    after = np.zeros((minutes, levels))
    free = np.zeros(minutes + keep_alive_minutes + 1)
    goes_on: NDArray[np.int64] = np.full((minutes, levels), -1)
    begins: NDArray[np.int64] = np.full(minutes, -1)
    for minute in range(minutes - 1, -1, -1):
        best = held.until_dead(minute) + free[minute + keep_alive_minutes]
        following = minute + gap
        if following < minutes:
            # From each level to each level: what the next ping has to start beyond what is warm.
            raised = np.maximum(init_usd[following] - init_usd[following][:, None], 0)
            next_ping = (after[following] - price[following]) - raised
            level = next_ping.argmax(axis=1)
            value = held.until_next(minute, gap) + next_ping[each, level]
            better = value > best
            best = np.where(better, value, best)
            goes_on[minute] = np.where(better, level, -1)
        after[minute] = best
        begin = best - price[minute] - init_usd[minute]
        level = int(begin.argmax())
        free[minute] = free[minute + 1]
        if begin[level] > free[minute]:
            free[minute], begins[minute] = begin[level], level
    return _walk(begins, goes_on, gap, keep_alive_minutes)


def _walk(
    begins: NDArray[np.int64], goes_on: NDArray[np.int64], gap: int, keep_alive_minutes: int
) -> list[tuple[int, int, int | None, int | None]]:
    """Follow the choices forwards."""
    chosen: list[tuple[int, int, int | None, int | None]] = []
    minute = 0
    while minute < len(begins):
        level, before = int(begins[minute]), None
        if level < 0:
            minute += 1
            continue
        while (following := int(goes_on[minute, level])) >= 0:
            chosen.append((minute, level, before, gap))
            minute, before, level = minute + gap, level, following
        chosen.append((minute, level, before, None))
        minute += keep_alive_minutes
    return chosen
