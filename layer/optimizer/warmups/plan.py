"""Plan the warm-ups of one function: the environments that are worth holding warm in each stretch of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic import DAY_MINUTES, littles_law, offsets_minutes
from optimizer.traffic.forecast import (
    Levels,
    PastDayTables,
    Reals,
    chance_alive,
    day_tables,
    fitted_weights,
    kept_warm,
    level_factors,
    mean_tables,
    since_last_time,
)
from optimizer.warmups.plan_value import best_cover, ping_counts, provisioned_intervals

LEAST_KNOWN_MINUTES = DAY_MINUTES


@dataclass(frozen=True, slots=True)
class WarmupRequest:
    """The facts about a function from which its warm-ups are planned."""

    # With a time zone, at a whole minute.
    start: datetime
    hours_ahead: int
    time_zone: str
    duration_ms: float
    keep_alive_minutes: int
    # The idle environment-minutes that one avoided cold start is worth.
    idle_minutes_per_cold_start: float
    # Invocations per minute for up to 15 days, the last one just before `start`; NaN is unknown.
    minutes: Reals
    may_ping: bool = True
    may_provision: bool = True
    # None means no limit.
    max_environments: int | None = None
    # Environments in each of `minutes` if they were measured; None computes them from calls and `duration_ms`.
    needed: Reals | None = None


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
    # Environment-minutes beyond those that traffic itself keeps idle.
    expected_idle_minutes: float


def plan_warmups(request: WarmupRequest) -> WarmupPlan:
    """Plan to hold an environment warm through a stretch of minutes if the cold starts that this avoids are worth more
    than its idle minutes. Environments that traffic itself keeps warm are taken into account.

    Pings are preferred if they are allowed: one ping holds an environment for the keep-alive time at the price of a few
    hundred milliseconds, while provisioned concurrency is billed for each second.
    """
    needed = request.needed
    if needed is None:
        needed = littles_law(request.minutes.astype(np.float64), request.duration_ms)
    needed = needed.astype(np.float32)
    obstacle = _obstacle(request, needed)
    if obstacle:
        return WarmupPlan((), (), obstacle, 0.0, 0.0, 0.0)
    keep_alive = request.keep_alive_minutes
    minutes = request.hours_ahead * 60
    zone = ZoneInfo(request.time_zone)
    now = int(request.start.timestamp()) // 60
    ahead = now + np.arange(minutes + keep_alive)
    past = now - len(needed) + np.arange(len(needed))
    local_past, local_ahead = past + offsets_minutes(zone, past), ahead + offsets_minutes(zone, ahead)
    # The past days as they were, at the level of the last hour, and at the level of as many minutes as lie ahead. It
    # is unknown which of them holds, and a mean of forecasts is better than most of its parts.
    views = [needed, *(_at_todays_level(request, needed, window) for window in (60, min(minutes, DAY_MINUTES)))]
    most = int(np.nanmax(views))
    if request.max_environments is not None:
        most = min(most, request.max_environments)
    levels = Levels.up_to(most)

    local_now, of_day = int(local_ahead[0]), local_ahead % DAY_MINUTES
    observed = [PastDayTables.of(*_with_warmth(view, keep_alive), local_past, local_now) for view in views]
    tables, *levelled = (day_tables(days, levels) for days in observed)
    weights = fitted_weights(tables)
    summed = sum(levelled, tables)
    daily = mean_tables(summed, weights, np.arange(DAY_MINUTES))
    short, unused = np.split(since_last_time(daily, tables, of_day, keep_alive), 2, axis=1)
    alive = chance_alive(observed[0].needed)
    size = levels.high - levels.low
    cold, unused = short * alive * size, (1 - (1 - unused) * alive) * size

    # Environments of the last minutes are still warm for a while, so a plan can neither gain nor lose there.
    recent = np.concatenate([np.nan_to_num(needed[-keep_alive:]), np.zeros(keep_alive, np.float32)])
    still_warm = kept_warm(recent, keep_alive)[-keep_alive:, None] >= levels.high
    cold[:keep_alive][still_warm] = 0
    unused[:keep_alive][still_warm] = 0

    value = request.idle_minutes_per_cold_start * cold - unused
    held = best_cover(value, keep_alive, minutes)
    warmed = np.max(held * levels.high, axis=1)
    before, after = float(cold[:minutes].sum()), float((cold * ~held)[:minutes].sum())
    idle = float((unused * held).sum())
    if not warmed.any():
        return WarmupPlan((), (), _not_worth_it(before, request), before, before, 0.0)
    pings = tuple(ping_counts(warmed, keep_alive)) if request.may_ping else ()
    provisioned = () if request.may_ping else tuple(provisioned_intervals(warmed[:minutes]))
    until = f"{(request.start + timedelta(hours=request.hours_ahead)).astimezone(zone):%a %H:%M}"
    means = f"{len(pings)} pings" if pings else f"{len(provisioned)} stretches of provisioned concurrency"
    reason = (
        f"{before:.1f} cold starts are expected until {until}; {means} for up to {int(warmed.max())} environments "
        f"should reduce them to {after:.1f} at the cost of {idle:.0f} idle environment-minutes"
    )
    return WarmupPlan(pings, provisioned, reason, after, before, idle)


def _at_todays_level(request: WarmupRequest, needed: Reals, window_minutes: int) -> Reals:
    """Return the need of the past days as if each had begun at the level of the last `window_minutes` minutes."""
    factors = level_factors(np.nan_to_num(request.minutes), window_minutes)
    if request.needed is not None:
        return np.ceil(needed * factors - 1e-6)
    return littles_law(np.rint(request.minutes * factors), request.duration_ms).astype(np.float32)


def _with_warmth(needed: Reals, keep_alive: int) -> tuple[Reals, Reals]:
    warm = kept_warm(np.nan_to_num(needed), keep_alive)
    # It is unknown which environments were warm when the history begins.
    warm[:keep_alive] = np.nan
    return needed, warm


def _obstacle(request: WarmupRequest, needed: Reals) -> str:
    """Return the reason why nothing can be planned, or an empty string."""
    if not len(needed) or np.isnan(needed).all():
        return "nothing is known about its traffic"
    if np.count_nonzero(~np.isnan(needed)) < LEAST_KNOWN_MINUTES:
        return "less than a day of its traffic is known, which is too little to tell when it is called"
    if not np.nanmax(needed) > 0:
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
        f"{before:.1f} cold starts are expected, but avoiding any of them would take more than the "
        f"{request.idle_minutes_per_cold_start:g} idle minutes that it is worth"
    )
