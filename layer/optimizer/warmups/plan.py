"""Plan the warm-ups of one function: the pings whose avoided cold starts are worth more than they cost."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.core import minute_of
from optimizer.traffic import DAY_MINUTES, offsets_minutes
from optimizer.traffic.forecast import ColdStartForecast, KnownTraffic, Lives, Reals, at_levels, forecast_cold_starts
from optimizer.warmups.occasions import Occasions, held, with_occasions
from optimizer.warmups.ping_plan import Pings, plan_pings
from optimizer.warmups.plan_value import PingRates, ping_prices

LEAST_KNOWN_MINUTES = DAY_MINUTES
_HOUR = 60
# What the policy asks for is pinged again while so large a share of the environments is alive.
_ALIVE = 0.95


@dataclass(frozen=True, slots=True)
class WarmupRequest:
    """The facts about a function from which its warm-ups are planned."""

    # With a time zone, at a whole minute.
    start: datetime
    hours_ahead: int
    time_zone: str
    duration_ms: float
    init_ms: float
    memory_mb: int
    rates: PingRates
    keep_alive_minutes: int
    # What a cold start less is worth, apart from its INIT.
    usd_per_cold_start: float
    # Invocations per minute for up to 15 days, the last one just before `start`; NaN is unknown.
    minutes: Reals
    # Invocations per hour for up to 63 days, and the most of them in progress at once; the last hour ends at `start`,
    # or before it if `start` is no whole hour. None means that only `minutes` are known; NaN is unknown.
    hours: Reals | None = None
    hour_peaks: Reals | None = None
    occasions: Occasions = field(default_factory=Occasions)
    # None means no limit.
    max_environments: int | None = None
    # Provisioned environments in each minute ahead, which need no pings; None means none.
    provisioned: Reals | None = None
    # None means that `keep_alive_minutes` is all that is known.
    lives: Lives | None = None
    # Pings of the minutes before `start`, as (minute below 0, environments).
    sent: Pings = ()
    # After so many hours another plan replaces this one; None means that none does.
    renewed_after_hours: int | None = None


@dataclass(frozen=True, slots=True)
class WarmupPlan:
    """The pings of the hours ahead."""

    # (minute after the start, environments).
    pings: tuple[tuple[int, int], ...]
    # One sentence.
    reason: str
    expected_cold_starts: float
    expected_cold_starts_unwarmed: float
    # What the bill is expected to grow by: the pings less the INIT of the avoided cold starts.
    expected_net_usd: float
    # A phrase for each thing that the policy says of the hours ahead.
    occasions: tuple[str, ...] = ()
    # Environments that these pings have to start.
    started: int = 0


def plan_warmups(request: WarmupRequest) -> WarmupPlan:
    """Plan what the policy asks for, whatever the past says, and beyond that pings where the cold starts that they
    avoid are worth more than they cost. Doing nothing is a plan."""
    why_not = obstacle(request)
    if why_not:
        return as_asked(WarmupPlan((), why_not, 0.0, 0.0, 0.0), request)
    return as_asked(plan_from(undecided(forecast_ahead(request), request), request), request)


def forecast_ahead(request: WarmupRequest) -> ColdStartForecast:
    """Return the cold starts that are expected in the hours ahead. There must be no obstacle."""
    known = _known(request)
    between_plans = request.renewed_after_hours or request.hours_ahead
    usual = forecast_cold_starts(known, request.hours_ahead, _lives(request), between_plans)
    ahead = known.start + np.arange(len(usual.cold))
    return at_levels(usual, request.occasions.levels(ahead + offsets_minutes(known.zone, ahead)))


def asked_environments(request: WarmupRequest) -> Reals:
    """Return the environments that the policy asks for in each minute ahead, and -1 where nothing may be pinged."""
    minutes = minute_of(request.start) + np.arange(request.hours_ahead * _HOUR)
    asked = request.occasions.wanted(minutes, ZoneInfo(request.time_zone))
    return asked if request.max_environments is None else np.minimum(asked, request.max_environments)


def undecided(forecast: ColdStartForecast, request: WarmupRequest) -> ColdStartForecast:
    """Return the cold starts that the policy leaves to the planner: not those of minutes in which it asks for
    environments, or closes."""
    asked = asked_environments(request)
    return _beyond(forecast, np.where(asked < 0, np.inf, asked)) if asked.any() else forecast


def as_asked(made: WarmupPlan, request: WarmupRequest) -> WarmupPlan:
    """Return the plan with the pings that the policy asks for, without those that it forbids, and with its words."""
    start, zone = minute_of(request.start), ZoneInfo(request.time_zone)
    words = request.occasions.words(start, start + request.hours_ahead * _HOUR, zone, request.max_environments)
    made = replace(made, reason="; ".join([*words, made.reason]), occasions=tuple(words))
    asked = asked_environments(request)
    if not asked.any():
        return made
    if request.provisioned is not None:
        asked = np.where(asked > request.provisioned[: len(asked)], asked, np.minimum(asked, 0))
    lives = _lives(request).minutes(_ALIVE)
    own = held(asked, lives)
    prices = ping_prices(request.rates, request.memory_mb, request.init_ms)
    started = max((environments for _, environments in own), default=0)
    usd = sum(prices.ping_usd + prices.environment_usd * environments for _, environments in own)
    return replace(
        made,
        pings=with_occasions(made.pings, asked, lives),
        expected_net_usd=made.expected_net_usd + usd + prices.init_usd * started,
        started=started,
    )


def plan_from(forecast: ColdStartForecast, request: WarmupRequest) -> WarmupPlan:
    """Return the pings that gain most beyond the environments that are provisioned."""
    forecast = _beyond_provisioned(forecast, request)
    before = float(forecast.cold.sum())
    most = int(forecast.levels.high[-1])
    if request.max_environments is not None:
        most = min(most, request.max_environments)
    prices = ping_prices(request.rates, request.memory_mb, request.init_ms)
    made = plan_pings(forecast, prices, request.usd_per_cold_start, _lives(request), most, request.sent)
    if not made.pings:
        return WarmupPlan((), not_worth_it(before, request), before, before, 0.0)
    zone = ZoneInfo(request.time_zone)
    until = f"{(request.start + timedelta(hours=request.hours_ahead)).astimezone(zone):%a %H:%M}"
    reason = (
        f"{before:.1f} cold starts are expected until {until}; {len(made.pings)} pings for up to "
        f"{max(count for _, count in made.pings)} environments should reduce them to "
        f"{before - made.avoided_cold_starts:.1f}"
    )
    return WarmupPlan(made.pings, reason, before - made.avoided_cold_starts, before, made.net_usd)


def _lives(request: WarmupRequest) -> Lives:
    return request.lives or Lives.of_minutes(request.keep_alive_minutes)


def _known(request: WarmupRequest) -> KnownTraffic:
    """Return the traffic in stretches of 60 minutes that end where the plan begins."""
    start, zone = minute_of(request.start), ZoneInfo(request.time_zone)
    minutes = request.minutes[len(request.minutes) % _HOUR :].astype(np.float64)
    minutes[request.occasions.unusual(start + np.arange(-len(minutes), 0), zone, start)] = np.nan
    recent = _by_hour(minutes)
    if request.hours is None:
        hours, peaks = recent, np.full(len(recent), np.nan)
    else:
        hours = _moved(request.hours.astype(np.float64), start % _HOUR)
        # The minutes are the better source as far as they are known.
        count = min(len(recent), len(hours))
        known = ~np.isnan(recent[len(recent) - count :])
        hours[len(hours) - count :][known] = recent[len(recent) - count :][known]
        peaks = np.full(len(hours), np.nan)
        if request.hour_peaks is not None:
            measured = request.hour_peaks.astype(np.float64)
            both = np.fmax(measured, np.append(measured[1:], np.nan)) if start % _HOUR else measured
            peaks[-len(both) :] = both[-len(hours) :]
        if len(hours) < len(recent):
            missing = len(recent) - len(hours)
            hours, peaks = np.append(recent[:missing], hours), np.append(np.full(missing, np.nan), peaks)
    unusual = request.occasions.unusual(start + _HOUR * np.arange(-len(hours), 0), zone, start)
    hours[unusual] = peaks[unusual] = np.nan
    return KnownTraffic(start, zone, request.occasions.day_kinds(), request.duration_ms, minutes, hours, peaks)


def _by_hour(minutes: Reals) -> Reals:
    """Return the calls of each hour; half an hour that is known speaks for the whole."""
    hours = minutes.reshape(-1, _HOUR)
    known = (~np.isnan(hours)).sum(axis=1)
    calls = np.nan_to_num(hours).sum(axis=1) * _HOUR / np.maximum(known, 1)
    return np.asarray(np.where(known >= _HOUR / 2, calls, np.nan))


def _moved(hours: Reals, minutes: int) -> Reals:
    """Return the calls of stretches of 60 minutes that begin so many minutes after the whole hours."""
    if not minutes:
        return hours.copy()
    later = np.append(hours[1:], np.nan)
    share = minutes / _HOUR
    return np.asarray(np.where(np.isnan(later), hours, (1 - share) * hours + share * later))


def _beyond_provisioned(forecast: ColdStartForecast, request: WarmupRequest) -> ColdStartForecast:
    """Return the cold starts that provisioned concurrency leaves."""
    if request.provisioned is None or not request.provisioned.any():
        return forecast
    return _beyond(forecast, request.provisioned)


def _beyond(forecast: ColdStartForecast, environments: Reals) -> ColdStartForecast:
    """Return the cold starts that so many warm environments leave in each minute."""
    served = forecast.levels.high <= environments[: len(forecast.cold), None]
    return replace(forecast, cold=np.where(served, 0, forecast.cold), warm=np.where(served, 1, forecast.warm))


def obstacle(request: WarmupRequest) -> str:
    """Return the reason why nothing can be planned; empty if something can."""
    known = ~np.isnan(request.minutes)
    if not known.any():
        return "nothing is known about its traffic"
    if np.count_nonzero(known) < LEAST_KNOWN_MINUTES:
        return "less than a day of its traffic is known, which is too little to tell when it is called"
    if not np.nanmax(request.minutes) > 0:
        return "it was not called in the time that is known"
    if request.max_environments == 0:
        return "the limit of environments to keep warm is 0"
    return ""


def not_worth_it(before: float, request: WarmupRequest) -> str:
    """Return the reason why the expected cold starts are not avoided."""
    if before < 0.05:
        return "its own traffic keeps it warm, so no cold start is expected"
    return (
        f"{before:.1f} cold starts are expected, but avoiding any of them would cost more than the "
        f"${request.usd_per_cold_start:g} that it is worth"
    )
