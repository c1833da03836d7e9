"""Warm-up plans over JSON lines, for a planner that is called every few hours."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from optimizer.capacity.provisioned import READY_MINUTES, ProvisionedAhead, provision_ahead
from optimizer.core import Way, best_way
from optimizer.policy import USUAL_INIT_MS, Policy, find_errors
from optimizer.prices import no_price
from optimizer.traffic import Floats
from optimizer.traffic.forecast import ColdStartForecast
from optimizer.warmups import (
    Occasions,
    PingRates,
    WarmedFunction,
    WarmupPlan,
    WarmupRequest,
    as_asked,
    asked_environments,
    forecast_ahead,
    not_worth_it,
    obstacle,
    occasions_of,
    plan_from,
    undecided,
    worth_of_idle_minutes,
)

from optimizer_cli.json_lines import UnusableRequest
from optimizer_cli.planners.rates import prices_of

type Stretches = tuple[tuple[int, int, int], ...]

LONGEST_HOURS = 48
# What a ping is worth shows in the hours after it.
LOOK_AHEAD_HOURS = 6
_CALENDAR = {"days": "holidays", "half_days": "half_days"}
# Lambda's price grows with memory; 1 GB is assumed where a request does not say it.
_MEMORY_MB = 1024


class Successive:
    """Answers requests one after the other. A request for a series that begins where its last answer ended counts the
    pings of that answer as sent."""

    def __init__(self) -> None:
        # For each series: where its last answer ends, and its last pings, in minutes before that.
        self._sent: dict[tuple[str, float | None], tuple[datetime, list[tuple[int, int]]]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the plan for one request, as `answer` does."""
        if "series" not in request:
            return answer(request)
        series = str(request["series"]), request.get("usd_per_cold_start")
        end, sent = self._sent.get(series, (None, []))
        if "sent" not in request and end == _start(request):
            request = request | {"sent": sent}
        made = answer(request)
        minutes, longest = int(request["hours_ahead"]) * 60, int(request["keep_alive_minutes"])
        last = [(minute - minutes, count) for minute, count in made["pings"] if minutes - minute <= longest]
        self._sent[series] = _start(request) + timedelta(minutes=minutes), last
        return made


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the plan for one request, as `{"pings": [[minute, count]], "provisioned": [[first, end, count]], "reason",
    "hours_planned", "expected_cold_starts", "expected_cold_starts_unwarmed", "expected_net_usd", "ways"}`, minutes
    after `from`. `ways` tells what each way of avoiding cold starts would gain; the plan is the best of them.

    Fewer than LOOK_AHEAD_HOURS are planned with those that follow, which the figures count, too.
    Raises UnusableRequest if a field is missing or cannot be read.
    """
    hours = int(_number(request, "hours_ahead", 1, LONGEST_HOURS))
    made = _planned(request)
    return made | {
        "pings": tuple(ping for ping in made["pings"] if ping[0] < hours * 60),
        "provisioned": tuple(
            (first, min(end, hours * 60), count) for first, end, count in made["provisioned"] if first < hours * 60
        ),
        "hours_planned": max(hours, LOOK_AHEAD_HOURS),
    }


def _planned(request: dict[str, Any]) -> dict[str, Any]:
    asked = _asked(request)
    may_ping, may_provision = (bool(request.get(field, True)) for field in ("may_ping", "may_provision"))
    why_not = obstacle(asked)
    if not (why_not or may_ping or may_provision):
        why_not = "neither pings nor provisioned concurrency are allowed"
    if why_not:
        return _as_asked(WarmupPlan((), why_not, 0.0, 0.0, 0.0), (), {}, asked, request)
    forecast = undecided(forecast_ahead(asked), asked)
    nothing = float(forecast.cold.sum())
    plans: dict[str, tuple[WarmupPlan | None, Stretches]] = {}
    ways = {}
    if may_ping:
        pinged = plan_from(forecast, asked)
        plans["pings"] = pinged, ()
        ways["pings"] = Way(pinged.expected_net_usd, nothing - pinged.expected_cold_starts)
    if may_provision and asked.rates.function.has_provisioned:
        held = _provisioned(forecast, asked)
        plans["provisioned"] = None, held.stretches
        ways["provisioned"] = held.way
        if may_ping and held.stretches:
            beside = plan_from(forecast, replace(asked, provisioned=_by_minute(held.stretches, len(forecast.cold))))
            plans["provisioned and pings"] = beside, held.stretches
            avoided = beside.expected_cold_starts_unwarmed - beside.expected_cold_starts
            ways["provisioned and pings"] = Way(
                held.way.usd + beside.expected_net_usd, held.way.avoided_cold_starts + avoided
            )
    best = best_way(ways, asked.usd_per_cold_start)
    gains = {name: round(way.gain(asked.usd_per_cold_start), 8) for name, way in ways.items()}
    if best is None:
        return _as_asked(WarmupPlan((), not_worth_it(nothing, asked), nothing, nothing, 0.0), (), gains, asked, request)
    plan, stretches = plans[best]
    reason = plan.reason if plan is not None and not stretches else _reason(plan, stretches, nothing, ways[best])
    left = nothing - ways[best].avoided_cold_starts
    pings = plan.pings if plan is not None else ()
    made = WarmupPlan(pings, reason, left, nothing, ways[best].usd)
    return _as_asked(made, stretches, gains, asked, request)


def _as_asked(
    made: WarmupPlan, stretches: Stretches, gains: dict[str, float], asked: WarmupRequest, request: dict[str, Any]
) -> dict[str, Any]:
    """Return the answer with what the request asks for beside what pays: pings, or else provisioned environments."""
    wanted = np.maximum(asked_environments(asked), 0)
    ready = _by_minute(stretches, len(wanted))
    if request.get("may_ping", True):
        return _answer(as_asked(made, replace(asked, provisioned=ready)), stretches, gains, asked)
    if request.get("may_provision", True) and wanted.any():
        early = np.array([wanted[minute : minute + READY_MINUTES + 1].max() for minute in range(len(wanted))])
        stretches = _stretches(np.maximum(early, _requested(stretches, len(wanted))))
    words = as_asked(made, asked)
    return _answer(replace(made, reason=words.reason), stretches, gains, asked)


def _requested(stretches: Stretches, minutes: int) -> Floats:
    held = np.zeros(minutes)
    for first, end, count in stretches:
        held[first:end] = count
    return held


def _stretches(held: Floats) -> Stretches:
    edges = [0, *(np.flatnonzero(np.diff(held)) + 1).tolist(), len(held)]
    return tuple((first, end, int(held[first])) for first, end in pairwise(edges) if held[first])


def _answer(made: WarmupPlan, provisioned: Stretches, gains: dict[str, float], asked: WarmupRequest) -> dict[str, Any]:
    return {
        "pings": made.pings,
        "provisioned": provisioned,
        "reason": made.reason,
        "expected_cold_starts": round(made.expected_cold_starts, 3),
        "expected_cold_starts_unwarmed": round(made.expected_cold_starts_unwarmed, 3),
        "expected_net_usd": round(made.expected_net_usd, 8),
        "ways": gains,
        "prices": asked.rates.function.words,
    }


def _reason(plan: WarmupPlan | None, stretches: Stretches, nothing: float, way: Way) -> str:
    pings = f" and {len(plan.pings)} pings" if plan is not None and plan.pings else ""
    most = max(count for *_, count in stretches)
    return (
        f"{nothing:.1f} cold starts are expected; up to {most} provisioned environments in {len(stretches)} "
        f"stretches{pings} should reduce them to {nothing - way.avoided_cold_starts:.1f}"
    )


def _provisioned(forecast: ColdStartForecast, asked: WarmupRequest) -> ProvisionedAhead:
    return provision_ahead(
        forecast,
        first_minute_of_hour=asked.start.astimezone(ZoneInfo(asked.time_zone)).minute,
        rates=asked.rates.function,
        memory_mb=asked.memory_mb,
        init_ms=asked.init_ms,
        usd_per_cold_start=asked.usd_per_cold_start,
        most=asked.max_environments,
    )


def _by_minute(stretches: Stretches, minutes: int) -> Floats:
    """Return the environments that are ready in each minute."""
    held = np.zeros(minutes)
    for first, end, count in stretches:
        held[first + READY_MINUTES : end] = count
    return held


def _asked(request: dict[str, Any]) -> WarmupRequest:
    most = request.get("max_environments")
    function = WarmedFunction(
        memory_mb=int(_number(request, "memory_mb", 128, 10_240, _MEMORY_MB)),
        rates=_rates(request),
        init_ms=_number(request, "init_ms", 0, 600_000, USUAL_INIT_MS),
    )
    keep_alive_minutes = int(_number(request, "keep_alive_minutes", 1, 24 * 60))
    hours = int(_number(request, "hours_ahead", 1, LONGEST_HOURS))
    return WarmupRequest(
        start=_start(request),
        hours_ahead=max(LOOK_AHEAD_HOURS, hours),
        time_zone=_time_zone(request),
        duration_ms=_number(request, "duration_ms", 0, 900_000),
        init_ms=function.init_ms,
        memory_mb=function.memory_mb,
        rates=function.rates,
        keep_alive_minutes=keep_alive_minutes,
        usd_per_cold_start=_usd_per_cold_start(request, function, keep_alive_minutes),
        minutes=_series(request, "minutes"),
        hours=_series(request, "hours") if "hours" in request else None,
        hour_peaks=_series(request, "concurrency") if "concurrency" in request else None,
        occasions=_occasions(request),
        sent=_sent(request),
        renewed_after_hours=hours,
        max_environments=None if most is None else int(_number(request, "max_environments", 0, 1e6)),
    )


def _occasions(request: dict[str, Any]) -> Occasions:
    """Return what the request says of days and hours, in the words of a policy."""
    said = {name: request[name] for name in ("events", "days", "never", "always") if name in request}
    days = {name: [str(day) for day in _dates(request, key)] for name, key in _CALENDAR.items()}
    policy: dict[str, Any] = {
        "version": 1,
        "time_zone": _time_zone(request),
        "functions": {"calendar": "request"},
        "calendars": {"request": days},
        # The request has a limit of its own.
        "warmups": {"max_environments_per_function": 1000, "max_environments_total": 1000, **said},
    }
    errors = find_errors(policy)
    if errors:
        raise UnusableRequest(str(errors[0]).removeprefix("warmups."))
    return occasions_of(Policy.from_document(policy), "", {})


def _usd_per_cold_start(request: dict[str, Any], function: WarmedFunction, keep_alive_minutes: int) -> float:
    """Return the worth of a cold start, which may be given in idle minutes as well."""
    both = {"usd_per_cold_start", "idle_minutes_per_cold_start"} & set(request)
    if len(both) != 1:
        raise UnusableRequest('give one of "usd_per_cold_start" and "idle_minutes_per_cold_start"')
    if "usd_per_cold_start" in both:
        return _number(request, "usd_per_cold_start", 0, 1e6)
    return worth_of_idle_minutes(_number(request, "idle_minutes_per_cold_start", 0, 1e9), function, keep_alive_minutes)


def _start(request: dict[str, Any]) -> datetime:
    text = request.get("from")
    if not isinstance(text, str):
        raise UnusableRequest('"from" must be a time such as "2026-02-10T06:00:00Z"')
    try:
        start = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnusableRequest(f'"from": {error}') from error
    if start.tzinfo is None:
        raise UnusableRequest(f'"from": {text} has no time zone; end it with Z for UTC')
    return start


def _time_zone(request: dict[str, Any]) -> str:
    name = request.get("timezone", "UTC")
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise UnusableRequest(f'"timezone": {name!r} is not in the time zone database') from error


def _rates(request: dict[str, Any]) -> PingRates:
    prices, region, architecture = prices_of(request)
    rates = PingRates.of(prices, region, architecture)
    if rates is None:
        raise UnusableRequest(no_price(region, architecture))
    return rates


def _dates(request: dict[str, Any], field: str) -> list[date]:
    values = request.get(field, [])
    try:
        return [date.fromisoformat(value) for value in values]
    except (TypeError, ValueError) as error:
        raise UnusableRequest(f'"{field}" must be a list of days such as "2026-12-25": {error}') from error


def _sent(request: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """Read pings of the minutes before `from`, as `[[minute below 0, count], ..]`."""
    values = request.get("sent", [])
    try:
        sent = tuple((int(minute), int(count)) for minute, count in values)
    except (TypeError, ValueError) as error:
        raise UnusableRequest(f'"sent" must be a list of [minute, count]: {error}') from error
    if any(minute >= 0 or count < 1 for minute, count in sent):
        raise UnusableRequest('"sent": minutes are below 0, counts at least 1')
    return sent


def _number(request: dict[str, Any], field: str, least: float, most: float, default: float | None = None) -> float:
    value = request.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise UnusableRequest(f'"{field}" must be a number from {least:g} to {most:g}, not {value!r}')
    return float(value)


def _series(request: dict[str, Any], field: str) -> Floats:
    """Read counts; null is a period without data."""
    values = request.get(field, [])
    try:
        series = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise UnusableRequest(f'"{field}" must be a list of numbers: {error}') from error
    if series.ndim != 1 or np.isinf(series).any() or (series < 0).any():
        raise UnusableRequest(f'"{field}" must be a flat list of counts, none below zero')
    return series
