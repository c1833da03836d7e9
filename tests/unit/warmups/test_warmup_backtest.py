"""Back-tests of warm-ups on small traces whose results can be counted by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from optimizer.policy.model import NeverWarm, UnusualDay, Warmups
from optimizer.traffic.history import DAY_MINUTES, Floats, Series
from optimizer.warmups.occasions import Launch, Occasions
from optimizer.warmups.simulation import backtest
from optimizer.warmups.simulation.backtest import (
    Strategy,
    Subject,
    WarmupOutcome,
    WarmupPlans,
    backtest_warmups,
    plan_starts,
    planned_warmups,
    total_outcomes,
    track_utilisation,
)

from tests.helpers.rates import X86, X86_PINGS

START = 29_000_160  # a midnight UTC


def subject(calls: Floats, duration_ms: float = 100.0) -> Subject:
    values = {
        "invocations": calls,
        "duration_ms": np.where(calls > 0, duration_ms, np.nan),
        "concurrency": np.full(len(calls), np.nan),
    }
    return Subject("orders", Series(START, values), "UTC", 1024, X86_PINGS, 500.0)


def every(minutes: int, days: int) -> Floats:
    calls = np.zeros(days * DAY_MINUTES)
    calls[::minutes] = 1
    return calls


def daily_burst(days: int) -> Floats:
    """Twenty calls of three seconds in the minute 09:00, else silence."""
    calls = np.zeros(days * DAY_MINUTES)
    calls[9 * 60 :: DAY_MINUTES] = 20
    return calls


def test_target_tracking_follows_a_rise_after_three_minutes() -> None:
    assert track_utilisation(np.full(8, 1.0), 10).tolist() == [1, 1, 1, 2, 2, 2, 2, 2]


def test_target_tracking_does_not_see_a_rise_of_two_minutes() -> None:
    assert set(track_utilisation(np.array([0.0, 5, 5, 0, 0, 5, 5, 0]), 10).tolist()) == {1}


def test_target_tracking_climbs_step_by_step() -> None:
    """Utilisation ends at 100 %, so target tracking cannot see how much is missing."""
    assert track_utilisation(np.full(7, 50.0), 10).tolist() == [1, 1, 1, 2, 3, 5, 8]


def test_target_tracking_shrinks_to_one_after_fifteen_minutes() -> None:
    """It shrinks after fifteen quiet minutes and always keeps one environment."""
    held = track_utilisation(np.concatenate((np.full(4, 1.0), np.zeros(30))), 10)
    assert held[:18].tolist() == [1, 1, 1, *[2] * 15]
    assert set(held[18:].tolist()) == {1}


def test_target_tracking_holds_no_more_than_it_may() -> None:
    assert track_utilisation(np.full(60, 50.0), 4).max() == 4


def test_outcomes_of_nothing_and_flat_match_a_hand_count() -> None:
    result = backtest_warmups(subject(every(30, 4)), Warmups(), 6)
    assert result.days == 2.0
    nothing, flat = result.outcomes[Strategy.NOTHING], result.outcomes[Strategy.FLAT]
    # The tested days are a Saturday and a Sunday.
    assert nothing == WarmupOutcome(cold_starts=96.0, weekday_cold_starts=(0.0, 0.0, 0.0, 0.0, 0.0, 48.0, 48.0))
    # The first ping comes too late for the first call. From then on two environments are idle all the time, but for
    # the holds of the pings; one of them idles for ten minutes after each call anyway.
    assert flat.cold_starts == 1.0
    held_minutes = 2 * 576 * 0.2 / 60
    # A ping that comes in the middle of a call starts a third environment, which lives for ten minutes.
    assert flat.idle_minutes == pytest.approx(2 * 2880 - held_minutes - 10 * 96, abs=10)
    assert flat.pings == 2 * 576
    assert sum(flat.weekday_usd) == pytest.approx(flat.usd)
    assert flat.net_usd == pytest.approx(flat.usd - 95 * 0.5 * 1.66667e-5, rel=1e-4)


def test_target_tracking_costs_its_time_less_call_savings() -> None:
    """Provisioned concurrency is paid for all the time, minus what its cheaper calls save."""
    result = backtest_warmups(subject(every(30, 4)), Warmups(), 6)
    outcome = result.outcomes[Strategy.TARGET_TRACKING]
    # The first call comes before anything is ready.
    assert (outcome.cold_starts, outcome.pings) == (1.0, 0)
    held_usd = 2 * 86_400 * float(X86.provisioned_usd)
    saved_usd = 95 * 0.1 * float(X86.gb_second_usd - X86.provisioned_duration_usd)
    assert outcome.usd == pytest.approx(held_usd - saved_usd, rel=1e-6)


def test_plans_need_less_idle_time_than_a_flat_warmer() -> None:
    """Plans learn a daily burst, and cost less than a warmer that pings every five minutes."""
    result = backtest_warmups(subject(daily_burst(10), 3000.0), Warmups(), 6)
    planned, flat, nothing = (result.outcomes[way] for way in (Strategy.PLANNED, Strategy.FLAT, Strategy.NOTHING))
    assert 5 * 3 <= nothing.cold_starts <= 5 * 6
    assert planned.cold_starts <= 0.2 * nothing.cold_starts
    assert planned.idle_minutes < 0.1 * flat.idle_minutes
    assert 0 < planned.usd < flat.usd


def test_plan_uses_only_traffic_before_it_was_made() -> None:
    calls = np.random.default_rng(3).poisson(np.where(np.arange(6 * DAY_MINUTES) // 60 % 24 == 9, 2.0, 0.02)) * 1.0
    other = calls.copy()
    at = 4 * DAY_MINUTES
    other[at:] = 7.0
    starts = range(3 * DAY_MINUTES, 5 * DAY_MINUTES, 360)
    policy = Warmups()
    seen, unseen = (planned_warmups(subject(values, 2000.0), policy, starts).pings for values in (calls, other))
    until = at + 360
    assert [ping for ping in seen if ping[0] < until] == [ping for ping in unseen if ping[0] < until]
    assert seen != unseen


def test_limit_of_zero_makes_all_strategies_do_nothing() -> None:
    result = backtest_warmups(subject(every(30, 4)), replace(Warmups(), max_environments_per_function=0), 6)
    nothing = result.outcomes[Strategy.NOTHING]
    assert all(result.outcomes[way] == nothing for way in (Strategy.PLANNED, Strategy.FLAT, Strategy.TARGET_TRACKING))


@pytest.mark.parametrize(("days", "first"), [(1, None), (2, 1), (7, 3), (10, 5), (60, 14)])
def test_backtest_learns_from_half_of_the_days_up_to_two_weeks(days: int, first: int | None) -> None:
    starts = plan_starts(subject(every(30, days)), 6)
    assert (starts[0] // DAY_MINUTES if starts else None) == first


def test_unknown_minutes_are_not_tested() -> None:
    calls = every(30, 4)
    calls[3 * DAY_MINUTES :] = np.nan
    result = backtest_warmups(subject(calls), Warmups(), 6)
    assert result.days == 1.0
    assert result.outcomes[Strategy.NOTHING].cold_starts == 48.0


def test_all_functions_together_are_the_sum_of_each() -> None:
    results = [backtest_warmups(subject(every(n, 4)), Warmups(), 12) for n in (30, 60)]
    assert total_outcomes(results)[Strategy.NOTHING].cold_starts == 96.0 + 48.0


def test_backtest_knows_past_events_sales_and_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch that no past day resembles, and a sale like a Saturday, cost cold starts only if nobody named them."""
    calls = np.zeros(35 * DAY_MINUTES)
    launch, sale = 20, 24
    calls[launch * DAY_MINUTES + 15 * 60 :][:60] = 600
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=START)
    weekday = (start.weekday() + np.arange(len(calls)) // DAY_MINUTES) % 7
    calls[(weekday == 5) & (np.arange(len(calls)) % DAY_MINUTES // 10 == 60)] = 60
    calls[sale * DAY_MINUTES + 600 :][:10] = 120
    begin = start + timedelta(days=launch, hours=15)
    said = Occasions(
        events=(Launch("launch", begin, begin + timedelta(hours=1), 20),),
        days=(UnusualDay(on=(start + timedelta(days=sale)).date(), like="saturday", level=2.0),),
        never=(NeverWarm(start="00:00", until="06:00"),),
    )
    policy = Warmups(max_environments_per_function=40)
    plans: list[WarmupPlans] = []

    def plan(*arguments: Any) -> WarmupPlans:
        """Plan as shipped, and keep what was played."""
        plans.append(planned_warmups(*arguments))
        return plans[-1]

    monkeypatch.setattr(backtest, "planned_warmups", plan)
    played = [
        backtest_warmups(subject(calls, 2000.0), policy, 6, occasions=occasions).outcomes[Strategy.PLANNED]
        for occasions in (Occasions(), said)
    ]
    assert played[1].cold_starts < played[0].cold_starts - 15
    pings = plans[1].pings
    assert not any(minute % DAY_MINUTES < 360 for minute, _ in pings)
    assert max(count for minute, count in pings if minute // DAY_MINUTES == launch) == 20
    assert any(minute // DAY_MINUTES == sale for minute, _ in pings)
