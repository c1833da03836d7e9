"""Spreading the concurrency of an hour over its minutes."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from optimizer.traffic.concurrency import environments_needed
from optimizer.traffic.history import HOUR_METRICS, Floats, History, Series
from optimizer.traffic.hourly import has_bursts, spread_concurrency

HOUR = 495_000


def read(
    calls: Floats, duration_ms: float, largest: list[float], concurrency: Floats | None = None, first: int = HOUR
) -> History:
    """Return a history as CloudWatch gives it: `largest` of each whole hour, durations where there are calls."""
    seen = np.where(calls > 0, calls, np.nan)
    minutes = {
        "invocations": seen,
        "duration_ms": np.where(calls > 0, duration_ms, np.nan),
        "concurrency": np.full(len(calls), np.nan) if concurrency is None else concurrency,
    }
    hours = {metric: np.full(len(largest), np.nan) for metric in HOUR_METRICS}
    return History(Series(HOUR * 60, minutes), Series(first, {**hours, "concurrency": np.array(largest)}))


def concurrency_of(history: History) -> Floats:
    return history.minutes.values["concurrency"]


@pytest.mark.parametrize(
    ("largest", "bursts"), [(3.0, False), (6.0, False), (7.0, True), (50.0, True), (1.0, False), (np.nan, False)]
)
def test_burst_exceeds_twice_the_estimated_concurrency(largest: float, bursts: bool) -> None:
    """A burst is an hour with more than twice the concurrency that calls and duration explain."""
    # One environment busy on average: Little's law with its safety term explains three.
    assert has_bursts(read(np.full(60, 60.0), 1000.0, [largest])) is bursts


@given(
    arrays(np.float64, 150, elements=st.integers(0, 500).map(float)),
    st.floats(1, 60_000),
    st.lists(st.integers(1, 400).map(float), min_size=2, max_size=2),
)
def test_busiest_minute_has_the_concurrency_of_its_hour(
    calls: Floats, duration_ms: float, largest: list[float]
) -> None:
    spread = concurrency_of(spread_concurrency(read(calls, duration_ms, largest)))
    for hour in (0, 1):
        of_hour, its_calls = spread[hour * 60 : hour * 60 + 60], calls[hour * 60 : hour * 60 + 60]
        called = its_calls > 0
        assert np.isnan(of_hour[~called]).all()
        if called.any():
            assert np.nanmax(of_hour) <= largest[hour]
            assert (of_hour[called] >= 1).all()
            assert (of_hour[called] <= its_calls[called]).all()
            # No minute has more than its calls.
            if largest[hour] <= its_calls[called].min():
                assert np.nanmax(of_hour) == largest[hour]
    # The hour that is not over has no largest.
    assert np.isnan(spread[120:]).all()


def test_reported_concurrency_of_a_minute_stays() -> None:
    calls, reported = np.full(60, 10.0), np.full(60, np.nan)
    reported[7] = 9.0
    spread = concurrency_of(spread_concurrency(read(calls, 100.0, [9.0], reported)))
    assert spread[7] == 9.0
    assert not np.isnan(spread).any()


def test_unknown_hour_falls_back_to_littles_law() -> None:
    history = spread_concurrency(read(np.full(60, 60.0), 1000.0, [np.nan]))
    assert np.isnan(concurrency_of(history)).all()
    assert (environments_needed(history.minutes) == 3).all()


def test_hours_are_found_by_their_number() -> None:
    calls = np.full(120, 60.0)
    spread = concurrency_of(spread_concurrency(read(calls, 1000.0, [9.0, 9.0, 2.0, 4.0, 9.0], first=HOUR - 2)))
    assert (spread[:60] == 2).all()
    assert (spread[60:] == 4).all()


def test_empty_history_has_no_bursts() -> None:
    nothing = read(np.empty(0), 100.0, [5.0])
    assert not has_bursts(nothing)
    assert len(spread_concurrency(nothing).minutes) == 0
