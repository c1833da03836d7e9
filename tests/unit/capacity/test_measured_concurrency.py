"""Provisioned concurrency by the concurrency that CloudWatch measured, where calls do not come at random."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from optimizer.capacity.provisioned.best_week import best_week
from optimizer.capacity.provisioned.load import Demand, busy_environments, worth_holding
from optimizer.capacity.provisioned.local_days import LocalDays
from optimizer.policy.model import ProvisionedConcurrency
from optimizer.traffic.concurrency import environments_needed
from optimizer.traffic.forecast import group_sizes
from optimizer.traffic.history import Floats, History, Series
from optimizer.traffic.hourly import has_bursts, spread_concurrency

from tests.helpers.rates import X86

DAYS, DAY_S = 14, 86_400
# Monday, 1 January 1973.
START = 1096 * 1440
GENEROUS = ProvisionedConcurrency(max_usd_day=1e6, max_usd_month=1e6)


@dataclass(frozen=True)
class Played:
    """Calls by the second, and what CloudWatch shows of them."""

    history: History
    # The share of all time in which at least so many were in progress: of one, of two, ...
    busy: tuple[float, ...]


def play(begins: Floats, duration_s: float, *, is_measured: bool = True) -> Played:
    """Return what CloudWatch shows of calls that begin at these seconds and last so long."""
    begins = np.sort(begins)
    times = np.concatenate([begins, begins + duration_s])
    steps = np.concatenate([np.ones(len(begins)), -np.ones(len(begins))])
    order = np.lexsort((steps, times))
    times, level = times[order], np.cumsum(steps[order])
    held = np.diff(np.append(times, times[-1]))
    total = DAYS * DAY_S
    busy = tuple(float(held[level >= n].sum()) / total for n in range(1, 21))
    calls = np.bincount((begins // 60).astype(int), minlength=total // 60).astype(float)
    most = np.zeros(total // 60)
    inside = times < total
    np.maximum.at(most, (times[inside] // 60).astype(int), level[inside])
    return Played(_read(calls, most, duration_s * 1000, is_measured=is_measured), busy)


def _read(calls: Floats, most: Floats, duration_ms: float, *, is_measured: bool) -> History:
    timed = np.where(calls > 0, duration_ms, np.nan)
    by_hour = most.reshape(-1, 60).max(axis=1) if is_measured else np.full(len(most) // 60, np.nan)
    unknown = np.full(len(calls), np.nan)
    hours = Series(START // 60, {"invocations": calls.reshape(-1, 60).sum(axis=1), "concurrency": by_hour})
    found = History(Series(START, {"invocations": calls, "duration_ms": timed, "concurrency": unknown}), hours)
    if is_measured and has_bursts(found):
        concurrency = np.where(calls > 0, most, 0.0)
        found = History(Series(START, {**found.minutes.values, "concurrency": concurrency}), hours)
    return spread_concurrency(found)


def each_minute(calls: int) -> Floats:
    """Return calls at second 0 of every minute, as timers make them."""
    return np.repeat(np.arange(DAYS * 1440) * 60.0, calls)


def at_random(calls_a_minute: float) -> Floats:
    random = np.random.default_rng(7)
    return random.uniform(0, DAYS * DAY_S - 60, round(calls_a_minute * DAYS * 1440))


def each_hour(calls: int) -> Floats:
    return np.repeat(np.arange(DAYS * 24) * 3600.0, calls)


def in_office_hours(calls: int) -> Floats:
    minutes = np.concatenate([day * 1440 + np.arange(9 * 60, 17 * 60) for day in range(DAYS) if day % 7 < 5])
    return np.repeat(minutes * 60.0, calls)


TOGETHER = {
    "twenty at once": (lambda: each_minute(20), 3.0),
    "six at once": (lambda: each_minute(6), 10.0),
    "thirty short ones": (lambda: each_minute(30), 1.0),
    "in office hours": (lambda: in_office_hours(20), 3.0),
}


@pytest.mark.parametrize(("begins", "duration_s"), TOGETHER.values(), ids=TOGETHER)
def test_environments_of_bursts_are_seldom_busy(begins: Callable[[], Floats], duration_s: float) -> None:
    """By Little's law one environment is busy all the minute; measured, many are, and only for a moment."""
    played = play(begins(), duration_s)
    by_law = Demand.of(played.history.minutes)
    groups = group_sizes(played.history)
    demand = Demand.of(played.history.minutes, groups)
    for environments in (1, 3, 6):
        expected = sum(played.busy[:environments]) / environments
        assert demand.utilisation(environments) == pytest.approx(expected, rel=0.15)
    assert by_law.utilisation(1) > 3 * demand.utilisation(1)
    assert demand.mean == pytest.approx(by_law.mean)
    days = LocalDays.of(played.history.minutes, "UTC", groups=groups)
    used = days.used(6).mean(axis=(1, 2))
    assert used.tolist() == pytest.approx(played.busy[:6], rel=0.15)
    assert worth_holding(demand, X86, 1024, GENEROUS) == 0
    assert set(best_week(days, least_utilisation=0.6, most=10).hours) == {0}


@pytest.mark.parametrize("by_hour", [0, 20])
def test_calls_at_random_are_as_little_says(by_hour: int) -> None:
    """A burst once an hour takes nothing from environments that the other calls keep busy."""
    played = play(np.concatenate([at_random(120), each_hour(by_hour)]), 0.7)
    groups = group_sizes(played.history)
    assert (groups > 1).mean() < 0.08
    demand, by_law = Demand.of(played.history.minutes, groups), Demand.of(played.history.minutes)
    assert demand.utilisation(1) == pytest.approx(by_law.utilisation(1), rel=0.06)
    assert worth_holding(demand, X86, 1024, GENEROUS) == worth_holding(by_law, X86, 1024, GENEROUS) > 0


def test_learnt_share_stands_for_minutes_that_were_not_measured() -> None:
    """The concurrency of minutes with pings is not known; the others tell how the calls come."""
    history = play(each_minute(20), 3.0).history
    concurrency = history.minutes.values["concurrency"].copy()
    concurrency[::3] = np.nan
    minutes = Series(START, {**history.minutes.values, "concurrency": concurrency})
    groups = group_sizes(History(minutes, history.hours))
    assert set(groups[1::3].tolist()) == {20.0}
    assert groups[::3].min() > 5


def test_without_measured_concurrency_all_calls_come_at_random() -> None:
    assert set(group_sizes(play(each_minute(20), 3.0, is_measured=False).history).tolist()) == {1.0}


def test_hours_without_any_measured_concurrency_tell_nothing() -> None:
    """Where there were pings in every hour with calls, only hours without calls have a concurrency: none."""
    history = play(each_minute(20), 3.0, is_measured=False).history
    hours = Series(history.hours.start, {**history.hours.values, "concurrency": np.zeros(len(history.hours))})
    assert set(group_sizes(History(history.minutes, hours)).tolist()) == {1.0}


@pytest.mark.parametrize(("every_minutes", "duration_s", "busy"), [(1, 600, 10), (20, 600, 1), (3, 90, 1), (1, 90, 2)])
def test_long_calls_keep_environments_busy_in_later_minutes(every_minutes: int, duration_s: int, busy: int) -> None:
    """CloudWatch counts a call in the minute in which it begins, however long it lasts."""
    begins = np.arange(0, DAYS * DAY_S - 3600, every_minutes * 60.0) + 30
    played = play(begins, float(duration_s))
    minutes = played.history.minutes
    whole = busy_environments(minutes)[60:-120]
    assert whole.max() <= busy
    assert whole.mean() == pytest.approx(duration_s / every_minutes / 60, rel=0.01)
    called = minutes.values["invocations"] > 0
    assert set(environments_needed(minutes)[called][30:].tolist()) == {float(busy)}
    assert set(
        environments_needed(play(begins, float(duration_s), is_measured=False).history.minutes)[called][30:]
    ) <= {
        float(busy),
        float(busy + 1),
    }


@pytest.mark.parametrize("groups", [1.0, 2.0, 7.0])
def test_further_environments_are_never_busier(groups: float) -> None:
    demand = Demand(np.linspace(0, 9, 200), np.full(200, groups))
    served = [demand.served(environments) for environments in range(25)]
    further = [after - before for before, after in pairwise(served)]
    assert all(more >= less - 1e-9 for more, less in pairwise(further))
    assert served[-1] == pytest.approx(demand.mean)


def test_calls_in_hours_in_which_no_environment_was_counted_come_alone() -> None:
    """CloudWatch may know the calls of an alias and count no environment of it."""
    calls = np.zeros(DAYS * 1440)
    calls[::10] = 3.0
    found = _read(calls, np.zeros(len(calls)), 100.0, is_measured=True)
    assert set(group_sizes(found)) == {1.0}
