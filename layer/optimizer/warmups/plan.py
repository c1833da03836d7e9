"""Plan the warm-ups of one function: the pings whose avoided cold starts are worth more than they cost."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.core import minute_of
from optimizer.prices import aws_lambda
from optimizer.traffic import DAY_MINUTES
from optimizer.traffic.forecast import ColdStartForecast, DayKinds, KnownTraffic, Lives, Reals, forecast_cold_starts
from optimizer.warmups.ping_plan import plan_pings
from optimizer.warmups.plan_value import best_cover, ping_prices, provisioned_intervals

LEAST_KNOWN_MINUTES = DAY_MINUTES
_HOUR = 60
_EPOCH = date(1970, 1, 1).toordinal()


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
    architecture: str
    keep_alive_minutes: int
    # What a cold start less is worth, apart from its INIT.
    usd_per_cold_start: float
    # Invocations per minute for up to 15 days, the last one just before `start`; NaN is unknown.
    minutes: Reals
    # Invocations per hour for up to 63 days, and the most of them in progress at once; the last hour ends at `start`,
    # or before it if `start` is no whole hour. None means that only `minutes` are known; NaN is unknown.
    hours: Reals | None = None
    hour_peaks: Reals | None = None
    holidays: AbstractSet[date] = frozenset()
    # Days that are holidays from noon on.
    half_days: AbstractSet[date] = frozenset()
    may_ping: bool = True
    may_provision: bool = True
    # None means no limit.
    max_environments: int | None = None
    # Provisioned environments in each minute ahead, which need no pings; None means none.
    provisioned: Reals | None = None
    # None means that `keep_alive_minutes` is all that is known.
    lives: Lives | None = None


@dataclass(frozen=True, slots=True)
class WarmupPlan:
    """A plan for the hours ahead."""

    # (minute after the start, environments).
    pings: tuple[tuple[int, int], ...]
    # (first minute, end minute not included, environments).
    provisioned: tuple[tuple[int, int, int], ...]
    # One sentence.
    reason: str
    expected_cold_starts: float
    expected_cold_starts_unwarmed: float
    # What the bill is expected to grow by: the plan less the INIT of the avoided cold starts.
    expected_net_usd: float


def plan_warmups(request: WarmupRequest) -> WarmupPlan:
    """Plan to hold environments warm where avoided cold starts are worth more than that costs. Doing nothing is a plan.

    Pings are preferred if they are allowed: one ping holds an environment for the keep-alive time at the price of a few
    hundred milliseconds, while provisioned concurrency is billed for each second.
    """
    obstacle = _obstacle(request)
    if obstacle:
        return WarmupPlan((), (), obstacle, 0.0, 0.0, 0.0)
    lives = request.lives or Lives.of_minutes(request.keep_alive_minutes)
    forecast = _beyond_provisioned(forecast_cold_starts(_known(request), request.hours_ahead, lives), request)
    before = float(forecast.cold.sum())
    most = int(forecast.levels.high[-1])
    if request.max_environments is not None:
        most = min(most, request.max_environments)
    pings: tuple[tuple[int, int], ...] = ()
    provisioned: tuple[tuple[int, int, int], ...] = ()
    if request.may_ping:
        prices = ping_prices(request.architecture, request.memory_mb, request.init_ms)
        made = plan_pings(forecast, prices, request.usd_per_cold_start, lives, most)
        pings, avoided, net_usd = made.pings, made.avoided_cold_starts, made.net_usd
    else:
        provisioned, avoided, net_usd = _provision(forecast, request, most)
    if not pings and not provisioned:
        return WarmupPlan((), (), _not_worth_it(before, request), before, before, 0.0)
    zone = ZoneInfo(request.time_zone)
    until = f"{(request.start + timedelta(hours=request.hours_ahead)).astimezone(zone):%a %H:%M}"
    means = f"{len(pings)} pings" if pings else f"{len(provisioned)} stretches of provisioned concurrency"
    environments = max(count for *_, count in (*pings, *provisioned))
    reason = (
        f"{before:.1f} cold starts are expected until {until}; {means} for up to {environments} environments should "
        f"reduce them to {before - avoided:.1f}"
    )
    return WarmupPlan(pings, provisioned, reason, before - avoided, before, net_usd)


def _known(request: WarmupRequest) -> KnownTraffic:
    """Return the traffic in stretches of 60 minutes that end where the plan begins."""
    start = minute_of(request.start)
    minutes = request.minutes[len(request.minutes) % _HOUR :].astype(np.float64)
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
    return KnownTraffic(
        start, ZoneInfo(request.time_zone), _day_kinds(request), request.duration_ms, minutes, hours, peaks
    )


def _day_kinds(request: WarmupRequest) -> DayKinds:
    holidays, half_days = (
        frozenset(day.toordinal() - _EPOCH for day in days) for days in (request.holidays, request.half_days)
    )
    return DayKinds(holidays, half_days - holidays)


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
    served = forecast.levels.high <= request.provisioned[: len(forecast.cold), None]
    return ColdStartForecast(
        forecast.levels, np.where(served, 0, forecast.cold), np.where(served, 1, forecast.warm), forecast.in_progress
    )


def _provision(
    forecast: ColdStartForecast, request: WarmupRequest, most: int
) -> tuple[tuple[tuple[int, int, int], ...], float, float]:
    """Return stretches of provisioned concurrency, the cold starts that they avoid, and their price less INIT."""
    if not request.may_provision:
        return (), 0.0, 0.0
    prices = ping_prices(request.architecture, request.memory_mb, request.init_ms)
    gb_minutes = request.memory_mb / 1024 * 60
    minute_usd = gb_minutes * float(aws_lambda.rates(request.architecture).provisioned_usd)
    allowed = forecast.levels.high <= most
    worth = request.usd_per_cold_start + prices.init_usd
    value = np.where(allowed, worth * forecast.cold - minute_usd * forecast.levels.size, -np.inf)
    held = best_cover(np.maximum(value, -1e9), 1, len(value) - 1)
    warmed = np.max(held * forecast.levels.high, axis=1)
    avoided = float((forecast.cold * held).sum())
    cost = float((held * forecast.levels.size).sum()) * minute_usd - prices.init_usd * avoided
    return tuple(provisioned_intervals(warmed)), avoided, cost


def _obstacle(request: WarmupRequest) -> str:
    """Return the reason why nothing can be planned, or an empty string."""
    known = ~np.isnan(request.minutes)
    if not known.any():
        return "nothing is known about its traffic"
    if np.count_nonzero(known) < LEAST_KNOWN_MINUTES:
        return "less than a day of its traffic is known, which is too little to tell when it is called"
    if not np.nanmax(request.minutes) > 0:
        return "it was not called in the time that is known"
    if request.max_environments == 0:
        return "the limit of environments to keep warm is 0"
    if not (request.may_ping or request.may_provision):
        return "neither pings nor provisioned concurrency are allowed"
    return ""


def _not_worth_it(before: float, request: WarmupRequest) -> str:
    if before < 0.05:
        return "its own traffic keeps it warm, so no cold start is expected"
    return (
        f"{before:.1f} cold starts are expected, but avoiding any of them would cost more than the "
        f"${request.usd_per_cold_start:g} that it is worth"
    )
