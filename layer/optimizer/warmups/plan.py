"""The warm-up plan of one function: for every stretch of time the environments that are worth holding warm."""

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
    """What is known of a function at `start` (aware, a whole minute).

    minutes: invocations per minute, the last one just before `start`, up to 15 days; NaN where nothing is known.
    needed: environments in each of `minutes` where they were measured; else they follow from the calls and
    `duration_ms`. max_environments: None is no limit but the need.
    """

    start: datetime
    hours_ahead: int
    time_zone: str
    duration_ms: float
    keep_alive_minutes: int
    idle_minutes_per_cold_start: float
    minutes: Reals
    may_ping: bool = True
    may_provision: bool = True
    max_environments: int | None = None
    needed: Reals | None = None


@dataclass(frozen=True, slots=True)
class WarmupPlan:
    """Pings (minute after the start, environments) and provisioned concurrency (first minute, end minute not
    included, environments), the reason in one sentence, and what is expected over the hours ahead.
    expected_idle_minutes: environment-minutes beyond those of real traffic's own keep-alive."""

    pings: tuple[tuple[int, int], ...]
    provisioned: tuple[tuple[int, int, int], ...]
    reason: str
    expected_cold_starts: float
    expected_cold_starts_unwarmed: float
    expected_idle_minutes: float


def plan_warmups(request: WarmupRequest) -> WarmupPlan:
    """Hold an environment through a stretch of minutes when the cold starts it should avoid are worth more than the
    minutes it should idle, counting what real traffic keeps warm anyway.

    By pings where they are allowed: one ping holds an environment for the keep-alive at the price of some hundred
    milliseconds, while provisioned concurrency is paid for every second that it is held.
    """
    needed = request.needed
    if needed is None:
        needed = littles_law(request.minutes.astype(np.float64), request.duration_ms)
    needed = needed.astype(np.float32)
    quiet = _nothing_to_plan(request, needed)
    if quiet:
        return WarmupPlan((), (), quiet, 0.0, 0.0, 0.0)
    keep_alive = request.keep_alive_minutes
    minutes = request.hours_ahead * 60
    zone = ZoneInfo(request.time_zone)
    now = int(request.start.timestamp()) // 60
    ahead = now + np.arange(minutes + keep_alive)
    behind = now - len(needed) + np.arange(len(needed))
    local_behind, local_ahead = behind + offsets_minutes(zone, behind), ahead + offsets_minutes(zone, ahead)
    # As they were, at the level of the last hour, and at that of as long as lies ahead: which of them holds is not
    # known, and a mean of forecasts is better than most of its parts.
    views = [needed, *(_at_todays_level(request, needed, window) for window in (60, min(minutes, DAY_MINUTES)))]
    most = int(np.nanmax(views))
    if request.max_environments is not None:
        most = min(most, request.max_environments)
    levels = Levels.up_to(most)

    local_now, of_day = int(local_ahead[0]), local_ahead % DAY_MINUTES
    seen = [PastDayTables.of(*_with_warmth(view, keep_alive), local_behind, local_now) for view in views]
    tables, *levelled = (day_tables(past, levels) for past in seen)
    weights = fitted_weights(tables)
    summed = sum(levelled, tables)
    daily = mean_tables(summed, weights, np.arange(DAY_MINUTES))
    short, unused = np.split(since_last_time(daily, tables, of_day, keep_alive), 2, axis=1)
    alive = chance_alive(seen[0].needed)
    size = levels.high - levels.low
    cold, unused = short * alive * size, (1 - (1 - unused) * alive) * size

    # What the last minutes used is still warm for a while: nothing can be gained or lost there.
    still = kept_warm(
        np.concatenate([np.nan_to_num(needed[-keep_alive:]), np.zeros(keep_alive, np.float32)]), keep_alive
    )
    still_warm = still[-keep_alive:, None] >= levels.high
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
        f"until {until} {before:.1f} cold starts are expected; {means}, of at most {int(warmed.max())} environments, "
        f"should leave {after:.1f} of them for {idle:.0f} idle environment-minutes"
    )
    return WarmupPlan(pings, provisioned, reason, after, before, idle)


def _at_todays_level(request: WarmupRequest, needed: Reals, window_minutes: int) -> Reals:
    """What the past days would need if each had begun at the level of the last `window_minutes` minutes."""
    factors = level_factors(np.nan_to_num(request.minutes), window_minutes)
    if request.needed is not None:
        return np.ceil(needed * factors - 1e-6)
    return littles_law(np.rint(request.minutes * factors), request.duration_ms).astype(np.float32)


def _with_warmth(needed: Reals, keep_alive: int) -> tuple[Reals, Reals]:
    warm = kept_warm(np.nan_to_num(needed), keep_alive)
    # What was warm when the history begins is not known.
    warm[:keep_alive] = np.nan
    return needed, warm


def _nothing_to_plan(request: WarmupRequest, needed: Reals) -> str:
    if not len(needed) or np.isnan(needed).all():
        return "nothing is known of its traffic"
    if np.count_nonzero(~np.isnan(needed)) < LEAST_KNOWN_MINUTES:
        return "less than a day of its traffic is known: too little to tell when it is called"
    if not np.nanmax(needed) > 0:
        return "it was not called at all in the time that is known"
    if request.max_environments == 0:
        return "no environments may be warmed"
    if not (request.may_ping or request.may_provision):
        return "neither pings nor provisioned concurrency are allowed"
    return ""


def _not_worth_it(before: float, request: WarmupRequest) -> str:
    if before < 0.05:
        return "its own traffic keeps it warm: no cold start is expected"
    return (
        f"{before:.1f} cold starts are expected, but none at a time so certain that it is worth "
        f"{request.idle_minutes_per_cold_start:g} idle minutes"
    )
