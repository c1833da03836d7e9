"""Measure afterwards what the plans of a function avoided: cold starts of callers with pings and without. Pure.

INIT in REPORT lines tells the cold starts there were. Those that pings started, and renewals of provisioned
environments, are taken out, because nobody waited for them. Traffic differs from day to day, so hours with pings are
not compared with hours without them as they are: the calls of each hour are played without pings, and the hours without
pings tell how many of the played cold starts there are in fact.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.core import Interval, Ping
from optimizer.function_logs import FunctionHistory
from optimizer.traffic import Floats, Ints, Series, environments_needed
from optimizer.warmups.simulation.play import calls_by_day, one_in, play

# With fewer of them, before and after together, chance says more than pings do.
FEWEST_COLD_STARTS = 30
_SURE = 1.96
# With so many expected, none at all is seen in one of twenty cases.
_NONE_SEEN = 3.0
_MOST_CALLS = 50_000
_HOUR = 60
_RECENT_DAYS, _LATEST_DAYS = 14, 3


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """Cold starts of callers in some hours."""

    hours: int = 0
    seen: float = 0.0
    # By playing the same calls without pings.
    played: float = 0.0


@dataclass(frozen=True, slots=True)
class HoursSeen:
    """Cold starts of callers in each hour whose REPORT lines and calls are known."""

    # Since 1970.
    hours: Ints
    seen: Floats
    played: Floats
    # True if pings held environments in the hour.
    warmed: Any
    # Calls of pings and cold ones among them.
    pings: Ints
    ping_calls: Ints
    ping_starts: Ints

    def of(self, chosen: Any) -> ColdStarts:
        """Return the cold starts of the chosen hours."""
        return ColdStarts(int(chosen.sum()), max(0.0, float(self.seen[chosen].sum())), float(self.played[chosen].sum()))


@dataclass(frozen=True, slots=True)
class VerifiedEffect:
    """Cold starts with pings, compared with the hours without them."""

    without_pings: ColdStarts
    with_pings: ColdStarts
    # The price of the pings, with the INIT that they started.
    usd: float

    @property
    def is_known(self) -> bool:
        """False if too few cold starts were seen to tell."""
        seen = self.without_pings.seen + self.with_pings.seen
        return seen >= FEWEST_COLD_STARTS and self.without_pings.played > 0 and self.with_pings.hours > 0

    @property
    def avoided(self) -> Interval:
        """The cold starts that pings avoided, with the 95 % interval of three counts that vary by chance."""
        before, after = self.without_pings, self.with_pings
        share = before.seen / before.played if before.played else 0.0
        expected = share * after.played
        variance = after.seen + share**2 * after.played + expected**2 / max(before.seen, 1.0)
        half = max(_SURE * math.sqrt(variance), _NONE_SEEN * min(share, 1.0))
        estimate = expected - after.seen
        return Interval(estimate, estimate - half, estimate + half)

    def is_below_cost(self, cold_start_usd: float) -> bool:
        """Return True if even the upper end of the effect is worth less than the pings cost.

        cold_start_usd: the worth of a cold start with its INIT."""
        return self.is_known and self.avoided.high * cold_start_usd < self.usd

    def words(self) -> str:
        """Return the effect as a clause for the report."""
        before, after = self.without_pings, self.with_pings
        if not self.is_known:
            return (
                "the verified effect is not known yet: it takes hours with pings and without, and "
                f"{FEWEST_COLD_STARTS} cold starts of callers; {before.seen + after.seen:.0f} were seen"
            )
        avoided = self.avoided
        return (
            f"verified effect: callers met {after.seen:.0f} cold starts with pings ({after.hours} h), where the same "
            f"calls without pings were to meet {after.seen + avoided.estimate:.0f}, judged by {before.seen:.0f} before "
            f"({before.hours} h); {round(avoided.estimate)} avoided (95 %: {round(avoided.low)} to "
            f"{round(avoided.high)}) for ${self.usd:.4f}"
        )

    def evidence(self) -> dict[str, Any]:
        """Return the effect as evidence of a change."""
        avoided = self.avoided
        return {
            "known": self.is_known,
            "hours_without_pings": self.without_pings.hours,
            "cold_starts_without_pings": round(self.without_pings.seen, 1),
            "hours_with_pings": self.with_pings.hours,
            "cold_starts_with_pings": round(self.with_pings.seen, 1),
            "avoided": round(avoided.estimate, 2) if self.is_known else None,
            "avoided_low": round(avoided.low, 2) if self.is_known else None,
            "avoided_high": round(avoided.high, 2) if self.is_known else None,
            "usd": round(self.usd, 6),
        }


@dataclass(frozen=True, slots=True)
class PingedFunction:
    """The facts about a function that its verified effect depends on."""

    name: str
    init_ms: float
    keep_alive_minutes: int
    # Provisioned environments in each minute of the series; None means none.
    provisioned: Floats | None = None


def hours_seen(
    lines: FunctionHistory, minutes: Series, pings: Sequence[Ping], function: PingedFunction
) -> HoursSeen | None:
    """Return the hours of which both REPORT lines and calls are known; None if there are none.

    minutes: the calls of callers, without pings."""
    if lines.cold_since is None or lines.read_until is None:
        return None
    first = max(lines.cold_since, -(-minutes.start // _HOUR))
    end = min(int(lines.read_until.timestamp() // 3600), minutes.end // _HOUR)
    if end <= first:
        return None
    window = minutes.window(first * _HOUR, end * _HOUR)
    known = ~np.isnan(window.values["invocations"]).reshape(-1, _HOUR).any(axis=1)
    hours = np.arange(first, end)
    counted = np.zeros((3, end - first), np.int64)
    warmed = np.zeros(end - first, bool)
    for ping in pings:
        at = ping.at_minute // _HOUR - first
        if 0 <= at < len(hours):
            counted[:, at] += (1, ping.calls, ping.cold)
        until = (ping.at_minute + function.keep_alive_minutes) // _HOUR - first
        warmed[max(0, at) : max(0, until + 1)] = True
    logged = np.array([lines.cold_hours.get(int(hour), 0) for hour in hours], np.float64)
    seen = logged - counted[2]
    provisioned = None
    if function.provisioned is not None:
        provisioned = function.provisioned[first * _HOUR - minutes.start :][: len(window)]
        needed = np.nan_to_num(environments_needed(window)).reshape(-1, _HOUR).max(axis=1)
        held = provisioned.reshape(-1, _HOUR).min(axis=1)
        # All calls found provisioned environments, so what was started is their renewal.
        seen = np.where((held > 0) & (needed <= held), 0.0, seen)
    thinned = one_in(float(np.nansum(window.values["invocations"])), _MOST_CALLS)
    played = play(
        calls_by_day(window, function.name, one_in=thinned),
        (),
        init_s=function.init_ms / 1000,
        keep_alive_s=function.keep_alive_minutes * 60,
        end_s=len(window) * 60,
        provisioned=None if provisioned is None else provisioned.astype(np.int64),
    )
    by_hour = np.bincount((played.cold_at // 3600).astype(np.int64), minlength=len(hours)).astype(np.float64)
    return HoursSeen(hours[known], seen[known], by_hour[known], warmed[known], *(row[known] for row in counted))


@dataclass(frozen=True, slots=True)
class VerifiedPlans:
    """The effect of the pings of the last two weeks, and that of the last days alone."""

    recent: VerifiedEffect
    latest: VerifiedEffect

    def below_cost(self, cold_start_usd: float) -> VerifiedEffect | None:
        """Return the effect that is worth less than its pings cost; None if neither is."""
        for effect in (self.recent, self.latest):
            if effect.is_below_cost(cold_start_usd):
                return effect
        return None


def verify_plans(found: HoursSeen, before: ColdStarts, price: Callable[[int, int, int], float]) -> VerifiedPlans:
    """Return what the pings avoided. price: of so many pings with so many calls, of which so many were cold."""

    def effect(days: int) -> VerifiedEffect:
        chosen = found.warmed & (found.hours > found.hours.max(initial=0) - days * 24)
        numbers = (found.pings, found.ping_calls, found.ping_starts)
        return VerifiedEffect(before, found.of(chosen), price(*(int(each[chosen].sum()) for each in numbers)))

    return VerifiedPlans(effect(_RECENT_DAYS), effect(_LATEST_DAYS))


def without_pings(found: HoursSeen, remembered: ColdStarts) -> ColdStarts:
    """Return the hours without pings: those found, or the remembered ones if more of their cold starts were seen."""
    now = found.of(~found.warmed)
    return now if now.seen >= remembered.seen else remembered
