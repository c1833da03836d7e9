"""Environments needed, the usual need at a local time, and the summary of a history."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, strategies as st
from optimizer.core.clock import minute_of, moment_of
from optimizer.traffic.concurrency import environments_needed, littles_law, usual_need, weighted_quantiles
from optimizer.traffic.gaps import settle
from optimizer.traffic.history import (
    DAY_MINUTES,
    HOUR_METRICS,
    Floats,
    History,
    Series,
    empty_series,
    offsets_minutes,
    same_time_on_other_days,
)
from optimizer.traffic.summary import FunctionTraffic, Pattern, summarise

BERLIN = ZoneInfo("Europe/Berlin")
# Clocks went forward on 29 March and back on 25 October 2026.
SPRING = datetime(2026, 3, 30, tzinfo=BERLIN)
AUTUMN = datetime(2026, 10, 26, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("calls", "duration_ms", "expected"),
    [(0, 1000, 0), (1, 60_000, 1), (60, 1000, 3), (600, 100, 3), (6000, 1000, 120), (2, 100_000, 2), (60, 0, 1)],
)
def test_littles_law_adds_safety_and_never_exceeds_the_calls(calls: float, duration_ms: float, expected: float) -> None:
    assert littles_law(np.array([float(calls)]), float(duration_ms)).tolist() == [expected]


def test_reported_concurrency_counts_before_littles_law() -> None:
    values = {
        "invocations": np.array([60.0, 60.0, 0.0, np.nan]),
        "duration_ms": np.array([1000.0, np.nan, np.nan, np.nan]),
        "concurrency": np.array([7.0, np.nan, 0.0, np.nan]),
    }
    np.testing.assert_array_equal(environments_needed(Series(0, values)), [7, 3, 0, np.nan])


def at_local(hour: int, days: int, end: datetime) -> tuple[Floats, int]:
    """Two environments at `hour` o'clock local time for ten minutes on each of the days before `end`."""
    last = minute_of(end)
    first = last - days * DAY_MINUTES
    minutes = first + np.arange(days * DAY_MINUTES)
    local = minutes + offsets_minutes(BERLIN, minutes)
    return np.where((local % DAY_MINUTES >= hour * 60) & (local % DAY_MINUTES < hour * 60 + 10), 2.0, 0.0), first


@pytest.mark.parametrize("end", [SPRING, AUTUMN, SPRING - timedelta(days=1), AUTUMN - timedelta(days=1)])
def test_usual_need_keeps_local_time_when_clocks_change(end: datetime) -> None:
    need, start = at_local(8, 10, end)
    eight = minute_of(end.replace(hour=8))
    usual = usual_need(need, start, np.array([eight - 1, eight, eight + 9, eight + 10]), BERLIN, (0.5,))
    assert usual.tolist() == [[0, 2, 2, 0]]


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)), st.integers(-20, 20))  # noqa: DTZ001
def test_same_time_on_another_day_follows_the_calendar(moment: datetime, days: int) -> None:
    minute = minute_of(moment.replace(tzinfo=UTC))
    found = moment_of(int(same_time_on_other_days(BERLIN, np.array([minute]), days)[0]), BERLIN)
    local = moment_of(minute, BERLIN)
    wanted = (local.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=BERLIN)
    exists = wanted.astimezone(UTC).astimezone(BERLIN).replace(tzinfo=None) == wanted.replace(tzinfo=None)
    shift = abs(found.replace(tzinfo=None) - wanted.replace(tzinfo=None))
    assert shift == (timedelta(0) if exists else timedelta(hours=1))


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.1, 5)), min_size=1, max_size=12), st.floats(0.01, 0.99))
def test_weighted_quantile_is_the_smallest_with_its_share(rows: list[tuple[int, float]], quantile: float) -> None:
    """It has its share of the weight at or below it, and no smaller value has."""
    values, weights = np.array([[float(v)] for v, _ in rows]), np.array([w for _, w in rows])
    found = weighted_quantiles(values, weights, (quantile,))[0, 0]
    share = weights[values[:, 0] <= found].sum() / weights.sum()
    below = weights[values[:, 0] < found].sum() / weights.sum()
    assert share >= quantile - 1e-9
    assert below < quantile + 1e-9


def test_unknown_days_have_no_weight() -> None:
    values = np.array([[1.0], [np.nan], [3.0]])
    assert weighted_quantiles(values, np.ones(3), (0.5, 0.9)).tolist() == [[1.0], [3.0]]
    assert np.isnan(weighted_quantiles(values[1:2], np.ones(1), (0.5,))).all()


def history_of(calls: Floats, start: int) -> History:
    reported = np.where(calls > 0, calls, np.nan)
    values = {
        "invocations": reported,
        "duration_ms": np.where(calls > 0, 200.0, np.nan),
        "concurrency": np.full(len(calls), np.nan),
    }
    read = History.empty().merged(History(Series(start, values), empty_series(HOUR_METRICS, start // 60)))
    return settle({"f": read}, 0)["f"]


def summary_of(calls: Floats, start: int) -> FunctionTraffic:
    return summarise(
        history_of(calls, start),
        function_name="f",
        function_arn="arn",
        alias="live",
        timezone="Europe/Berlin",
        history_key="history/f.npz",
    )


def rate(days: int) -> tuple[Floats, int]:
    start = minute_of(datetime(2026, 5, 4, tzinfo=BERLIN))
    return np.arange(days * DAY_MINUTES) / DAY_MINUTES, start


def test_daily_season_and_its_peak_are_found() -> None:
    day, start = rate(15)
    calls = np.random.default_rng(1).poisson(np.clip(300 * np.sin((day - 0.25) * 2 * np.pi), 0, None)).astype(float)
    found = summary_of(calls, start)
    assert found.pattern is Pattern.DAILY
    assert found.pattern_strength > 0.8
    assert any(10 <= int(peak.at[11:13]) <= 14 for peak in found.peaks)
    assert found.peaks[0].at.startswith("2026-05-19")


def test_a_weekly_season_is_told_from_a_daily_one() -> None:
    day, start = rate(15)
    weekend = (day.astype(int) % 7) >= 5
    level = np.where(weekend, 0.2, 1) * np.clip(30 * np.sin((day - 0.25) * 2 * np.pi), 0, None)
    assert summary_of(np.random.default_rng(1).poisson(level).astype(float), start).pattern is Pattern.WEEKLY


def test_even_traffic_has_no_pattern() -> None:
    day, start = rate(15)
    found = summary_of(np.random.default_rng(1).poisson(np.full(len(day), 20.0)).astype(float), start)
    assert found.pattern is Pattern.NONE
    assert found.pattern_strength < 0.1


def test_a_few_calls_at_any_time_are_sparse() -> None:
    _, start = rate(15)
    calls = np.zeros(15 * DAY_MINUTES)
    calls[np.random.default_rng(1).integers(0, len(calls), 30)] = 1
    assert summary_of(calls, start).pattern is Pattern.SPARSE


def test_summary_of_an_empty_history_is_unknown() -> None:
    found = summary_of(np.zeros(DAY_MINUTES), 29_000_000)
    assert (found.days, found.need, found.invocations_day, found.peaks) == (0, {}, None, ())


def test_the_summary_reads_back_from_its_document() -> None:
    import json

    from optimizer.core import canonical_json

    day, start = rate(8)
    found = summary_of(np.random.default_rng(1).poisson(np.full(len(day), 20.0)).astype(float), start)
    assert FunctionTraffic.from_document(json.loads(canonical_json.dumps(found))) == found
