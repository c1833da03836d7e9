"""Cold starts of callers with pings and without: counted, compared, and worth their price or not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from optimizer.core.ping import Ping
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.parse import LoggedReport, ReportLine
from optimizer.traffic.history import DAY_MINUTES, Floats, Series
from optimizer.warmups.effect.verified_effect import (
    ColdStarts,
    PingedFunction,
    VerifiedEffect,
    VerifiedPlans,
    hours_seen,
    verify_plans,
    without_pings,
)
from optimizer.warmups.simulation.play import arrivals, calls_by_day, play

DAY0 = 20_000
START = DAY0 * DAY_MINUTES  # a Thursday
DAYS = 14
ORDERS = PingedFunction("orders", 1000.0, 10)
COLD_START_USD = 3e-4


def series(calls: Floats) -> Series:
    peaks = np.full(len(calls), np.nan)
    return Series(
        START, {"invocations": calls, "duration_ms": np.where(calls > 0, 200.0, np.nan), "concurrency": peaks}
    )


def ping(minute: int, cold: int = 0, calls: int = 1) -> Ping:
    return Ping("warmups-1", START + minute, START + minute, calls, calls, cold, calls, 0, 200, "")


def logged(calls: Floats, pings: list[int], minutes_read: int | None = None) -> tuple[FunctionHistory, list[Ping]]:
    """Return the lines that Lambda writes for these calls and pings, and what the pings met."""
    at = arrivals("orders", len(calls))
    sent = [(float(at[minute]), 1) for minute in pings]
    played = play(calls_by_day(series(calls), "orders"), sent, init_s=1.0, keep_alive_s=600, end_s=len(calls) * 60)
    met = [ping(minute, started) for minute, started in zip(pings, played.started, strict=True)]
    began = [*played.cold_at, *(second for (second, _), started in zip(sent, played.started, strict=True) if started)]
    lines = [line(second + 1.2) for second in sorted(began)]
    end = moment(len(calls) if minutes_read is None else minutes_read)
    return FunctionHistory().add([each for each in lines if each.at < end], end, moment(0)), met


def moment(minute: float) -> datetime:
    return datetime.fromtimestamp((START + minute) * 60, UTC)


def line(second: float, init_ms: float | None = 1000.0) -> LoggedReport:
    at = moment(second / 60)
    return LoggedReport(at, "1", ReportLine(f"{second}", 200.0, 1200, 512, 90, init_ms=init_ms), f"stream-{second}")


def daily(minutes_of_day: list[int], days: int = DAYS) -> Floats:
    calls = np.zeros(days * DAY_MINUTES)
    for day in range(days):
        calls[[day * DAY_MINUTES + minute for minute in minutes_of_day]] = 1
    return calls


def price(pings: int, calls: int, cold: int) -> float:
    return 5e-6 * pings + 2e-7 * calls + 8e-6 * cold


def verified(calls: Floats, pings: list[int], **different: Any) -> VerifiedPlans:
    lines, met = logged(calls, pings, **different)
    found = hours_seen(lines, series(calls), met, ORDERS)
    assert found is not None
    return verify_plans(found, without_pings(found, ColdStarts()), price)


HOURLY = [60 * hour + 30 for hour in range(7, 19)]


def before_each(calls: Floats, first_day: int) -> list[int]:
    return [minute - 3 for minute in np.flatnonzero(calls).tolist() if minute >= first_day * DAY_MINUTES]


def test_cold_starts_are_counted_before_and_after() -> None:
    """Twelve calls a day, an hour apart: each starts cold for a week, and none with a ping before it."""
    calls = daily(HOURLY)
    effect = verified(calls, before_each(calls, 7)).recent
    assert effect.without_pings.seen == 7 * 12
    assert effect.without_pings.played == 7 * 12
    assert (effect.with_pings.hours, effect.with_pings.seen) == (7 * 12, 0)
    assert effect.is_known
    assert effect.avoided.estimate == 7 * 12
    assert 40 < effect.avoided.low < 7 * 12 < effect.avoided.high < 130
    assert effect.usd == pytest.approx(price(84, 84, 84))
    assert "84 avoided (95 %: " in effect.words()
    assert not effect.is_below_cost(COLD_START_USD)


def test_traffic_that_falls_is_no_effect_of_pings() -> None:
    """In the second week there are two calls a day: pings in other hours avoid nothing."""
    calls = daily(HOURLY)
    calls[7 * DAY_MINUTES :] = daily([12 * 60, 16 * 60], 7)
    nights = [day * DAY_MINUTES + 10 * n for day in range(7, 14) for n in range(36)]
    effect = verified(calls, nights).recent
    assert effect.with_pings.played == 0
    assert effect.avoided.estimate == 0
    assert effect.avoided.low < 0 < effect.avoided.high
    assert effect.is_below_cost(1e-6)


def test_fewer_than_thirty_cold_starts_tell_nothing() -> None:
    calls = daily([12 * 60, 16 * 60])
    effect = verified(calls, before_each(calls, 7)).recent
    assert effect.without_pings.seen == 14
    assert not effect.is_known
    assert "not known yet" in effect.words()
    assert effect.evidence()["avoided"] is None
    assert not effect.is_below_cost(1e-9)


def test_pings_of_gone_traffic_are_below_cost_within_days() -> None:
    calls = daily(HOURLY)
    calls[10 * DAY_MINUTES :] = 0
    pings = before_each(daily(HOURLY), 5)
    pings = [*[m for m in pings if m < 10 * DAY_MINUTES], *range(10 * DAY_MINUTES, DAYS * DAY_MINUTES, 9)]
    plans = verified(calls, pings)
    assert not plans.recent.is_below_cost(COLD_START_USD)
    assert plans.latest.is_below_cost(COLD_START_USD)
    assert plans.below_cost(COLD_START_USD) is plans.latest


def test_a_quiet_weekend_with_few_pings_stops_nothing() -> None:
    """That two pings met no call says little: chance alone makes it likely."""
    calls = daily(HOURLY)
    calls[11 * DAY_MINUTES :] = 0
    pings = [minute for minute in before_each(daily(HOURLY), 5) if minute < 11 * DAY_MINUTES]
    plans = verified(calls, [*pings, 12 * DAY_MINUTES, 13 * DAY_MINUTES])
    assert plans.below_cost(COLD_START_USD) is None


def test_pings_that_only_add_cold_starts_are_below_their_cost() -> None:
    effect = VerifiedEffect(ColdStarts(100, 40, 40), ColdStarts(100, 80, 40), 0.001)
    assert effect.avoided.estimate == -40
    assert effect.is_below_cost(COLD_START_USD)


def test_environments_started_by_pings_are_nobodys_cold_starts() -> None:
    calls = daily(HOURLY)
    lines, met = logged(calls, before_each(calls, 0))
    assert sum(lines.cold_hours.values()) == DAYS * 12
    found = hours_seen(lines, series(calls), met, ORDERS)
    assert found is not None
    assert found.seen.sum() == 0


def test_renewed_environments_are_nobodys_cold_starts() -> None:
    """An environment is provisioned from 07:00 to 19:00 and renewed every hour."""
    calls = daily(HOURLY)
    hour_of_day = np.arange(len(calls)) // 60 % 24
    provisioned = np.where((hour_of_day >= 7) & (hour_of_day < 19), 1.0, 0.0)
    renewed = [line((day * DAY_MINUTES + minute) * 60) for day in range(DAYS) for minute in HOURLY]
    lines = FunctionHistory().add(renewed, moment(len(calls)), moment(0))
    found = hours_seen(lines, series(calls), [], replace(ORDERS, provisioned=provisioned))
    assert found is not None
    assert (found.seen.sum(), found.played.sum()) == (0, 0)


def test_only_hours_whose_lines_were_read_count() -> None:
    calls = daily(HOURLY)
    effect = verified(calls, [], minutes_read=3 * DAY_MINUTES + 30).recent
    assert effect.without_pings.hours == 3 * 24


def test_a_gap_in_the_lines_begins_the_hours_anew() -> None:
    history = FunctionHistory().add([line(600)], moment(120), moment(0))
    assert (history.cold_since, dict(history.cold_hours)) == (START // 60, {START // 60: 1})
    goes_on = history.add([line(9000)], moment(240), moment(120))
    assert (goes_on.cold_since, sum(goes_on.cold_hours.values())) == (START // 60, 2)
    gap = history.add([line(20_000)], moment(480), moment(240.5))
    assert (gap.cold_since, sum(gap.cold_hours.values())) == (START // 60 + 5, 1)
    assert FunctionHistory().add([line(600)], moment(120)).cold_since is None


def test_hours_are_kept_as_long_as_minutes_are() -> None:
    history = FunctionHistory().add([line(600)], moment(60), moment(0))
    later = history.add([], moment(0) + timedelta(days=16), moment(60))
    assert later.cold_hours == {}
    assert later.cold_since == START // 60 + 24


def test_hours_before_are_remembered_while_they_tell_more() -> None:
    calls = daily(HOURLY)
    lines, met = logged(calls, before_each(calls, 0))
    found = hours_seen(lines, series(calls), met, ORDERS)
    assert found is not None
    before = ColdStarts(168, 84, 84)
    assert without_pings(found, before) == before
    assert without_pings(found, ColdStarts()).seen == 0
