"""Play calls and pings one by one, compared with a plain count over all environments."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, strategies as st
from optimizer.traffic.history import DAY_MINUTES, Series
from optimizer.warmups.simulation.backtest import Subject, WarmupPlans, outcome_of, play_plans
from optimizer.warmups.simulation.play import TimedCalls, arrivals, billed_minutes, calls_by_day, play, ready

from tests.helpers.rates import X86_PINGS

INIT_S = 1.5
KEEP_ALIVE_S = 600.0
HOLD_S = 0.2

GAPS = st.lists(st.floats(0.01, 900), max_size=40)


@dataclass
class Counted:
    cold_at: list[float]
    started: list[int]


def count_plainly(calls: TimedCalls, pings: list[tuple[float, int]]) -> Counted:
    """Keep every environment that ever was, and look through all of them at each call."""
    free_at: list[float] = []
    counted = Counted([], [])

    def take(second: float, busy_s: float) -> bool:
        """Return False if an environment had to be started."""
        alive = [at for at in free_at if at <= second < at + KEEP_ALIVE_S]
        if alive:
            free_at.remove(max(alive))
        free_at.append(second + busy_s + (0 if alive else INIT_S))
        return bool(alive)

    events = [(at, 1, duration) for at, duration in zip(calls.at, calls.duration_s, strict=True)]
    events += [(at, 0, count) for at, count in pings]
    for second, is_call, what in sorted(events):
        if is_call:
            if not take(second, what):
                counted.cold_at.append(second)
            continue
        # The calls of a ping overlap, so it meets as many environments as it asks for.
        there = sorted((at for at in free_at if at <= second < at + KEEP_ALIVE_S), reverse=True)[: int(what)]
        for at in there:
            free_at.remove(at)
        started = int(what) - len(there)
        free_at += [second + HOLD_S] * len(there) + [second + HOLD_S + INIT_S] * started
        counted.started.append(started)
    return counted


def calls_of(gaps: list[float], duration_s: float) -> TimedCalls:
    return TimedCalls(np.cumsum(gaps), np.full(len(gaps), duration_s))


@given(GAPS, st.lists(st.tuples(st.floats(0.01, 900), st.integers(1, 4)), max_size=20), st.floats(0.05, 400))
def test_calls_and_pings_are_played_as_a_plain_count_does(
    gaps: list[float], pinged: list[tuple[float, int]], duration_s: float
) -> None:
    calls = calls_of(gaps, duration_s)
    times = np.cumsum([gap for gap, _ in pinged])
    pings = [(float(at), count) for at, (_, count) in zip(times, pinged, strict=True)]
    half = len(gaps) // 2
    blocks = [TimedCalls(calls.at[part], calls.duration_s[part]) for part in (slice(half), slice(half, None))]
    played = play(blocks, pings, init_s=INIT_S, keep_alive_s=KEEP_ALIVE_S, end_s=1e6)
    counted = count_plainly(calls, pings)
    assert played.cold_at.tolist() == counted.cold_at
    assert list(played.started) == counted.started


@given(GAPS, st.integers(1, 5))
def test_idle_time_is_what_environments_live_without_work(gaps: list[float], environments: int) -> None:
    """Each environment is idle from its last use on for the keep-alive time, and between its uses."""
    calls = calls_of(gaps, 0.001)
    played = play([calls], [(5e5, environments)], init_s=0, keep_alive_s=KEEP_ALIVE_S, end_s=1e6)
    gap_idle = sum(min(gap, KEEP_ALIVE_S) for gap in np.diff(calls.at))
    end = KEEP_ALIVE_S * (bool(gaps) + environments)
    assert played.idle_s == pytest.approx(gap_idle + end, abs=0.01 * (len(gaps) + 1) + KEEP_ALIVE_S * _overlaps(calls))


def _overlaps(calls: TimedCalls) -> int:
    return int((np.diff(calls.at) <= 0.001).sum())


def test_provisioned_environments_take_calls_first() -> None:
    calls = TimedCalls(np.array([10.0, 200.0, 201.0, 202.0]), np.full(4, 30.0))
    provisioned = ready(np.full(10, 2, np.int64))
    assert provisioned.tolist() == [0, 0, *[2] * 8]
    played = play([calls], [], init_s=INIT_S, keep_alive_s=KEEP_ALIVE_S, end_s=600, provisioned=provisioned)
    # The first call comes before they are ready, the last one while both are busy, but takes the first one's own.
    assert played.cold_at.tolist() == [10.0]
    assert played.provisioned_s == 60.0


def test_a_ping_meets_idle_provisioned_environments_first() -> None:
    provisioned = np.full(10, 2, np.int64)
    played = play([], [(30.0, 3)], init_s=1, keep_alive_s=600, end_s=600, provisioned=provisioned)
    assert played.started == (1,)


def test_provisioned_stretches_are_billed_in_five_minutes() -> None:
    assert billed_minutes(np.array([1, 1, 0, 3, 3, 3, 3, 3, 3, 1], np.int64)) == 5 + 10 + 2 * 10
    assert billed_minutes(np.zeros(4, np.int64)) == 0


def minutes(calls: list[float], peaks: list[float] | None = None) -> Series:
    count = np.array(calls)
    measured = np.full(len(calls), np.nan) if peaks is None else np.array(peaks)
    duration = np.where(count > 0, 500.0, np.nan)
    return Series(0, {"invocations": count, "duration_ms": duration, "concurrency": measured})


def test_calls_lie_in_their_minutes_and_are_the_same_each_time() -> None:
    counts = np.random.default_rng(5).poisson(0.7, 3 * DAY_MINUTES).astype(float)
    blocks = list(calls_by_day(minutes(counts.tolist()), "orders"))
    assert len(blocks) == 3
    at = np.concatenate([block.at for block in blocks])
    assert (np.diff(at) >= 0).all()
    assert np.bincount((at // 60).astype(int), minlength=len(counts)).tolist() == counts.tolist()
    again = np.concatenate([block.at for block in calls_by_day(minutes(counts.tolist()), "orders")])
    assert again.tolist() == at.tolist()


def test_thinned_calls_occupy_as_many_environments() -> None:
    counts = np.random.default_rng(6).poisson(300, DAY_MINUTES).astype(float).tolist()
    (every,), (tenth,) = (list(calls_by_day(minutes(counts), "busy", one_in=n)) for n in (1, 10))
    assert len(tenth.at) == len(every.at) // 10
    assert tenth.duration_s.sum() == pytest.approx(every.duration_s.sum(), rel=1e-3)
    assert (np.bincount((tenth.at // 60).astype(int)) <= 40).all()


def test_a_timers_calls_come_at_the_beginning_of_the_minute() -> None:
    """A call every ten minutes finds the environment of the one before, which lives for ten."""
    calls = [1.0 if minute % 10 == 0 else 0.0 for minute in range(DAY_MINUTES)]
    (block,) = calls_by_day(minutes(calls), "timer")
    assert (block.at % 60 < 2).all()


def test_calls_that_were_in_progress_together_come_together() -> None:
    """Twenty calls of half a second do not overlap by chance where twelve were measured in progress at once."""
    (block,) = calls_by_day(minutes([20.0, 0.0], [12.0, np.nan]), "burst")
    _, counts = np.unique(block.at, return_counts=True)
    assert counts.max() == 12
    (block,) = calls_by_day(minutes([20.0, 0.0], [1.0, np.nan]), "calm")
    assert len(np.unique(block.at)) == 20


def test_a_ping_arrives_a_second_after_any_second_of_its_minute() -> None:
    after = arrivals("orders", 1000) - np.arange(1000) * 60
    assert after.min() >= 1
    assert after.max() < 61
    assert 25 < after.mean() < 37


def test_dollars_of_a_plan_are_the_sum_of_its_parts() -> None:
    """A plan of two days, with every price and cold start added up by hand."""
    counts = np.zeros(2 * DAY_MINUTES)
    counts[[DAY_MINUTES + 10, DAY_MINUTES + 500]] = 1
    calls = TimedCalls(np.array([(DAY_MINUTES + 10) * 60 + 30.0, (DAY_MINUTES + 500) * 60 + 30.0]), np.full(2, 0.5))
    orders = Subject("orders", minutes(counts.tolist()), "UTC", 512, X86_PINGS, 2000.0, calls=calls)
    # Two environments before the first call, held once more while they live, and once alone after they have died.
    plans = WarmupPlans([(DAY_MINUTES + 2, 2), (DAY_MINUTES + 8, 2), (DAY_MINUTES + 300, 1)])
    nothing, played = (play_plans(orders, each, DAY_MINUTES, 10) for each in (WarmupPlans(()), plans))
    outcome = outcome_of(orders, plans, played, nothing, DAY_MINUTES)
    assert (len(nothing.cold_at), outcome.cold_starts, played.started) == (2, 1.0, (2, 0, 1))
    second, init_usd = 0.5 * 1.66667e-5, 2.0 * 0.5 * 1.66667e-5
    warmer = 2e-7 + 1.2 * 0.25 * 1.33334e-5
    waits = 2 * 2.0 * 0.25 * 1.33334e-5
    by_hand = 3 * (1e-6 + warmer) + 5 * (2e-7 + 0.2 * second) + 3 * init_usd + waits
    assert outcome.usd == pytest.approx(by_hand, rel=0.01)
    assert outcome.net_usd == pytest.approx(by_hand - init_usd, rel=0.01)
    # The second day is a Friday.
    assert outcome.weekday_cold_starts == (0, 0, 0, 0, 1, 0, 0)
    assert outcome.weekday_usd[4] == pytest.approx(outcome.usd)


def test_dollars_of_provisioned_are_less_cheaper_calls() -> None:
    counts = np.zeros(2 * DAY_MINUTES)
    counts[DAY_MINUTES + 30] = 60
    calls = TimedCalls((DAY_MINUTES + 30) * 60 + np.arange(60.0), np.full(60, 0.5))
    orders = Subject("orders", minutes(counts.tolist()), "UTC", 1024, X86_PINGS, 1000.0, calls=calls)
    held = np.zeros(2 * DAY_MINUTES, np.int64)
    held[DAY_MINUTES + 20 : DAY_MINUTES + 62] = 1
    plans = WarmupPlans((), held)
    nothing, played = (play_plans(orders, each, DAY_MINUTES, 10) for each in (WarmupPlans(()), plans))
    outcome = outcome_of(orders, plans, played, nothing, DAY_MINUTES)
    assert (len(nothing.cold_at), outcome.cold_starts) == (2, 0.0)
    # 42 minutes are billed as 45; 30 seconds of calls cost less than on demand.
    by_hand = 45 * 60 * 4.1667e-6 - 30 * (1.66667e-5 - 9.7222e-6)
    assert outcome.usd == pytest.approx(by_hand, rel=0.01)
    assert outcome.net_usd == pytest.approx(by_hand - 2 * 1.66667e-5, rel=0.01)
    assert outcome.saved_usd == 0.0
